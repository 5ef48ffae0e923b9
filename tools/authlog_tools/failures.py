"""What went wrong, as two lines or one JSON object on stderr, and the exit code that says it."""

import json
import sys

import authlog
from authlog_tools import terminal


class Failure(Exception):
    """A failure of the command itself: about what, what happened, what to do next."""

    def __init__(
        self, about: str, happened: str, hint: str = "", *, code: int = 1, name: str = "Failure"
    ) -> None:
        self.about, self.happened, self.hint, self.code = about, happened, hint, code
        self.name = "Usage" if code == 2 else name
        super().__init__(about, happened, hint, code, name)

    def __str__(self) -> str:
        return f"{self.about}: {self.happened}"


_REFUSED = (
    authlog.StaleToken,
    authlog.UnsafePermissions,
    authlog.SecretErased,
    authlog.UnknownFormat,
)
_CODES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((authlog.InvalidCredential,), 2),
    ((authlog.Corruption,), 3),
    ((authlog.LockTimeout,), 4),
    (_REFUSED, 5),
    ((authlog.Unacknowledged, OSError), 6),
)


def code_of(error: Exception) -> int:
    """Return the exit code for an error."""
    if isinstance(error, Failure):
        return error.code
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), 1)


def tell(error: Exception, *, as_json: bool) -> int:
    """Print the error and return its exit code."""
    happened, hint = texts(error)
    code = code_of(error)
    if as_json:
        name = error.name if isinstance(error, Failure) else type(error).__name__
        body = {"code": name, "message": happened, "hint": hint}
        print(json.dumps({"error": body}), file=sys.stderr)
    else:
        print(terminal.fitted(f"authlog: {happened}", sys.stderr), file=sys.stderr)
        if hint:
            print(f"  {hint}", file=sys.stderr)
    return code


def texts(error: Exception) -> tuple[str, str]:
    """Return what happened, and what to do next."""
    if isinstance(error, Failure):
        return str(error), error.hint
    if isinstance(error, authlog.AuthLogError):
        happened, semicolon, hint = str(error).rpartition("; ")
        return (happened, hint) if semicolon else (str(error), "")
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}", "mend that and try again"
    return f"{type(error).__name__}: {error}", "AUTHLOG_DEBUG=1 shows where"
