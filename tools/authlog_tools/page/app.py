"""The routes of the page: each takes what stands in its address and fills a template."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

import authlog
from authlog_tools.failures import Failure
from authlog_tools.opened import settled
from authlog_tools.page import drawing, listing, panels, restoring
from authlog_tools.page.courtesy import LIVE, Courtesy
from authlog_tools.page.filling import fill_template, prepare
from authlog_tools.page.known import Fill, Known, Values
from authlog_tools.page.live import Bell
from authlog_tools.page.proof import Proof
from authlog_tools.page.reader import Reader
from authlog_tools.page.view import View, number

STATIC = Path(__file__).parent / "static"


class Site:
    """One log's page."""

    def __init__(self, log: authlog.AuthLog) -> None:
        self.log = log
        self.bell = Bell()
        self.courtesy = Courtesy()
        self.reader = Reader(log, self.courtesy.give_way)
        self.proof = Proof(log, self.bell.ring, self.courtesy.give_way)
        self.known = Known(log, self.reader, self.proof)

    def app(self) -> ASGIApp:
        """Return the application, which reads the log while it is served."""
        return self.courtesy.around(Starlette(routes=self.routes(), lifespan=self._life))

    def routes(self) -> list[BaseRoute]:
        """Return all that it answers to."""
        return [
            self._part("/", "page.html", listing.whole),
            self._part("/list", "list.html", listing.listed),
            self._part("/rows", "more.html", listing.more),
            self._part("/fold", "fold.html", listing.fold),
            self._part("/overview", "overview.html", panels.overview),
            self._part("/event/{seq:int}", "event.html", panels.event),
            self._part("/state/{seq:int}", "state.html", panels.state),
            self._part("/suggest", "suggest.html", panels.suggest),
            self._part("/proof", "proof.html", panels.proved),
            self._part("/restore", "restore.html", panels.plan),
            Route("/near", self.near),
            Route("/verify", self.verify, methods=["POST"]),
            Route("/restore", self.restore, methods=["POST"]),
            Route(LIVE, self.live),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]

    def _part(self, path: str, template: str, fill: Fill) -> Route:
        """Return the route that answers with a template, filled with what the address asks for."""

        async def answer(request: Request) -> Response:
            values = await run_in_threadpool(fill, self.known, View.of(request))
            return await self._filled(template, values, request)

        return Route(path, answer)

    async def _filled(self, template: str, values: Values, request: Request) -> Response:
        given = {**self.known.common(), "csrf": request.state.csrf, **values}
        return HTMLResponse(await run_in_threadpool(fill_template, template, given))

    @asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncGenerator[None]:
        self.bell.hang()
        self.reader.begin(self._changed)
        preparing = asyncio.get_running_loop().run_in_executor(None, prepare)
        yield
        preparing.cancel()
        self.reader.end()

    def _changed(self) -> None:
        if not self.known.loading and self.proof.is_of_another(self.reader.index):
            self.proof.begin(self.reader.index)
        self.bell.ring()

    # What the address asks for, and is no part of the page

    async def near(self, request: Request) -> Response:
        """The seq of the event nearest to a moment, in ms since 1970."""
        index, matches = self.known.found(request.query_params.get("q", ""))
        moment = number(request.query_params.get("t", "")) / 1000
        return JSONResponse({"seq": drawing.nearest(index, matches.positions, moment)})

    async def verify(self, request: Request) -> Response:
        """Verify again."""
        self.proof.begin(self.reader.index)
        return await self._filled("proof.html", panels.proved(self.known, View()), request)

    async def restore(self, request: Request) -> Response:
        """Bring it back, or say why not."""
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        provider, seq = form.get("provider", ""), number(form.get("seq", ""))
        try:
            done = await run_in_threadpool(self._restored, provider, seq)
        except (authlog.AuthLogError, Failure, ValueError, OSError) as error:
            refusal, hint = restoring.explained(error, self.known.index, provider)
            plan = panels.plan(self.known, View(provider=provider, seq=seq))
            why = {"refused": refusal, "refused_hint": hint, "outcome": restoring.outcome(error)}
            return await self._filled("restore.html", {**plan, **why}, request)
        await run_in_threadpool(self.reader.wait_for, done)
        told = msgspec.json.encode({"restored": {"seq": done}}).decode()
        return Response(status_code=204, headers={"HX-Trigger": told})

    def _restored(self, provider: str, seq: int) -> int:
        """Return the seq of the restore; if it was not known to be durable, that was settled."""
        return settled(self.log, lambda: self.log.restore(provider, seq)).seq

    async def live(self, request: Request) -> Response:
        """What is new, as it comes."""
        stream = self.bell.stream(self._news, None)
        return StreamingResponse(stream, media_type="text/event-stream")

    def _news(self) -> tuple[int, str]:
        news = self.known.news()
        return self.known.index.last, msgspec.json.encode(news).decode()
