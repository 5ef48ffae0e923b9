"""What an address asks for: all that a page shows is in its address, so that Back works."""

from msgspec import Struct
from starlette.requests import Request

WIDTHS = (280, 4_000)  # px that an overview may be wide


class View(Struct, frozen=True):
    """What an address asks for; "" and 0 where it says nothing.

    `q` is the filter, `event` and `state` the seq of what is selected, `start` where the list
    begins ("oldest"). `before`, `until` and `day` continue a list or open a fold; `width`
    and `every` are of the overview, `word` of suggestions, `provider` and `seq` of a restore.
    """

    q: str = ""
    event: int = 0
    state: int = 0
    start: str = ""
    before: int = 0
    after: int = 0
    until: int = 0
    day: int = 0
    width: int = 0
    every: bool = False
    word: str = ""
    provider: str = ""
    seq: int = 0

    @classmethod
    def of(cls, request: Request, *, provider: str = "", seq: int = 0) -> "View":
        """Return what this request asks for; what makes no sense is left out."""
        given = request.query_params
        path = number(str(request.path_params.get("seq", "")))
        return cls(
            q=" ".join(given.get("q", "").split()),
            event=number(given.get("event", "")) or path,
            state=number(given.get("state", "")),
            start=given.get("start", ""),
            before=number(given.get("before", "")),
            after=number(given.get("after", "")),
            until=number(given.get("until", "")),
            day=number(given.get("day", "")),
            width=max(WIDTHS[0], min(WIDTHS[1], number(given.get("w", "")))),
            every=given.get("lanes") == "all",
            word=given.get("word", ""),
            provider=provider or given.get("provider", ""),
            seq=seq or path or number(given.get("seq", "")),
        )


def number(text: str) -> int:
    """Return a whole number from an address, 0 if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
