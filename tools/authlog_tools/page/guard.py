"""Who may ask this server for anything: the outermost layer, which denies by default.

Every request, also one for a file that never changes, has to name our host and port (a foreign name
that was made to resolve to this machine is another origin to the browser, but not to a server that
doesn't look) and to bring the cookie of this run. The cookie is got once, for the token that stands
in the address the command opens. A change also has to come from our own page: its origin, and a
token that only the page has. Cookies are not kept apart by port, so another server on this machine
may be sent ours: it is worth nothing without the rest, nor after this process.
"""

import hmac
import secrets
from collections.abc import MutableMapping
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSRF_HEADER = "X-Authlog-Csrf"
OPEN = "/open"

POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self' data:; "
    "connect-src 'self'; "
    "form-action 'self'; "
    "base-uri 'none'; "
    "frame-ancestors 'none'"
)

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """An ASGI application that lets through to another what our own page asks for.

    `link` is the address to open; it works once. `csrf` is what a change has to bring.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._host = f"127.0.0.1:{port}"
        self._cookie = f"authlog-{port}"
        self._session = secrets.token_urlsafe(32)
        self._token: str | None = secrets.token_urlsafe(32)
        self.csrf = secrets.token_urlsafe(32)
        self.origin = f"http://{self._host}"
        self.link = f"{self.origin}{OPEN}?t={self._token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["csrf"] = self.csrf
        answer = self._answer(scope) or self._app
        await answer(scope, receive, _with_headers(send))

    def _answer(self, scope: Scope) -> Response | None:
        """Return the answer to a request that goes no further, None for one that may."""
        headers = Headers(scope=scope)
        if headers.getlist("host") != [self._host]:
            return _refused(400, f"This server is {self._host} and answers to no other name.")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return _refused(403, "Another site asked for this.")
        known = self._is_known(headers)
        if scope["path"] == OPEN and scope["method"] == "GET":
            return self._opened(scope, known=known)
        if not known:
            return _refused(
                403,
                "Only the browser that authlog view opened may look.\n"
                "Its link works once: run authlog view again for a new one.",
            )
        if scope["method"] not in ("GET", "HEAD"):
            return self._refused_change(headers)
        return None

    def _opened(self, scope: Scope, *, known: bool) -> Response:
        given = scope["query_string"].decode("latin-1").removeprefix("t=")
        if self._token is not None and _equal(given, self._token):
            self._token = None  # spent
        elif not known:
            return _refused(403, "This link was used before. Run authlog view again for a new one.")
        answer = RedirectResponse("/", 303)  # so that the token leaves the address bar
        answer.set_cookie(self._cookie, self._session, path="/", httponly=True, samesite="strict")
        return answer

    def _is_known(self, headers: Headers) -> bool:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return found is not None and _equal(found.value, self._session)

    def _refused_change(self, headers: Headers) -> Response | None:
        if headers.get("origin") != self.origin:
            return _refused(403, "A change has to come from this page.")
        if not _equal(headers.get(CSRF_HEADER, ""), self.csrf):
            return _refused(403, "A change has to bring the page's token: load the page again.")
        return None


def _equal(given: str, expected: str) -> bool:
    """Whether they are equal, found out in a time that doesn't tell how much of it is."""
    return hmac.compare_digest(given.encode(), expected.encode())


def _refused(status: int, why: str) -> Response:
    return PlainTextResponse(f"{why}\n", status)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            _add_headers(message)
        await send(message)

    return sending


def _add_headers(message: MutableMapping[str, object]) -> None:
    message.setdefault("headers", [])
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers[name] = value
