"""What each template is filled with: pure looks at what the reader knows."""

import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import HTMLResponse

import authlog
from authlog_tools import filters, past, words
from authlog_tools.failures import texts
from authlog_tools.page import details, drawing, restoring, rows, wording
from authlog_tools.page.filling import fill_template
from authlog_tools.page.index import Index, day_of
from authlog_tools.page.matching import Matcher, Matches
from authlog_tools.page.proof import Proof
from authlog_tools.page.reader import Reader

WIDTHS = (280, 4_000)  # px that an overview may be wide
SUGGESTED = 8
PATIENCE = 0.6  # s that a page waits for its first rows before it shows that it is loading
HINTS = {
    "provider:": "a login, as in auth.json",
    "kind:": "set, refresh, adopt, heal, remove ...",
    "writer:": "the program that did it",
    "since:": "2d, 6h, 2026-11-20, today",
    "until:": "the same",
    "type:": "oauth, api, wellknown",
    "fingerprint:": "a secret's, from its start",
    "seq:": "287 or 200..250",
}


class View(Struct, frozen=True):
    """What an address asks for."""

    q: str = ""
    event: int = 0
    state: int = 0
    start: str = ""
    before: int = 0
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
            until=number(given.get("until", "")),
            day=number(given.get("day", "")),
            width=max(WIDTHS[0], min(WIDTHS[1], number(given.get("w", "")))),
            every=given.get("lanes") == "all",
            word=given.get("word", ""),
            provider=provider or given.get("provider", ""),
            seq=seq or path or number(given.get("seq", "")),
        )


Values = Mapping[str, object]
Fill = Callable[[View], Values]


def number(text: str) -> int:
    """Return a whole number from an address, 0 if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


class Views:
    """Looks at one reader's events; each method returns what a template needs."""

    def __init__(self, reader: Reader, proof: Proof) -> None:
        self._reader, self._proof = reader, proof
        self._matcher = Matcher(Index())

    @property
    def index(self) -> Index:
        """All events that were read; none until the first reading has ended."""
        found = self._reader.index
        return self._matcher.index if found is None else self._of(found).index

    def _of(self, index: Index) -> Matcher:
        if self._matcher.index is not index:
            self._matcher = Matcher(index)
        return self._matcher

    def found(self, text: str) -> tuple[Index, Matches]:
        """Return the events and which of them the filter finds.

        A filter that can't be understood finds nothing.
        """
        matcher = self._of(self.index)
        try:
            return matcher.index, matcher.find(text)
        except filters.FilterError:
            return matcher.index, Matches(Index(), "")

    def render(self, template: str, values: Values, request: Request) -> HTMLResponse:
        """Return the template filled with these, and with what every page has."""
        known = {
            "csrf": request.state.csrf,
            "path": str(self._reader.log.path),
            "quoted_path": shlex.quote(str(self._reader.log.path)),
            "now": datetime.now(UTC),
            "today": day_of(datetime.now(UTC)),
        }
        return HTMLResponse(fill_template(template, {**known, **values}))

    # Whole pages and lists

    def whole(self, view: View) -> Values:
        """The page: the list and what is selected; with the newest rows, if they come soon."""
        self._reader.begun.wait(PATIENCE)
        chosen: dict[str, object] = {}
        if view.event:
            chosen = dict(self.event(view))
        elif view.state:
            chosen = dict(self.state(msgspec.structs.replace(view, seq=view.state)))
        lanes = min(len(self.index.changes), drawing.LANES)
        return {**chosen, **self.listed(view), "news": self.news(), "lanes": lanes or 3}

    def listed(self, view: View) -> Values:
        """The list, its counts, and what is wrong with the filter."""
        problem, index = None, self.index
        try:
            matches = self._of(index).find(view.q)
        except filters.FilterError as error:
            problem, matches = error, Matches(Index(), "")
        shown = self._page(index, matches, view)
        return {
            "view": view,
            "loading": self._reader.index is None,
            "page": shown,
            "total": len(index),
            "count": len(matches),
            "kinds": self._kinds(index, view),
            "problem": problem,
            "mended": self._mended(view.q, problem),
            "failure": self._failure(),
            "proof": self._proof,
            "known": filters.NAMES,
        }

    def _page(self, index: Index, matches: Matches, view: View) -> rows.Page:
        today = day_of(datetime.now(UTC))
        if self._reader.index is None:
            return rows.Page(list(rows.early(self._early(view.q), today)))
        start = 0
        if view.start == "oldest":
            start = max(0, len(matches) - rows.PAGE // 2)
        elif aimed := number(view.start) or view.event:
            rank = rows.rank_of(index, matches, aimed)
            start = rank - rows.ABOVE if rank >= rows.PAGE // 2 else 0
        return rows.page(index, matches, start, today)

    def _early(self, text: str) -> list[authlog.Event]:
        """Return what the filter finds among the events that were read so far."""
        newest = self._reader.newest[: 20 * rows.PAGE]
        try:
            wanted = filters.parse(text, datetime.now(UTC))
        except filters.FilterError:
            return []
        return [event for event in newest if wanted.matches(event)]

    def _kinds(self, index: Index, view: View) -> list[tuple[str, str, int, bool, str]]:
        asked = (wording.value_of(view.q, "kind") or "").split(",")
        order = [kind for kind in words.MEANING if index.kinds[kind]]
        return [
            (
                kind,
                words.family(kind),
                index.kinds[kind],
                kind in asked,
                wording.toggled(view.q, "kind", kind),
            )
            for kind in order
        ]

    def _mended(self, text: str, problem: filters.FilterError | None) -> str | None:
        """Return the filter with the nearest qualifier in the place of the unknown one."""
        if problem is None or problem.nearest is None:
            return None
        head, _, value = problem.word.partition(":")
        minus = "-" if head.startswith("-") else ""
        return text[: problem.start] + f"{minus}{problem.nearest}:{value}" + text[problem.end :]

    def _failure(self) -> Values | None:
        error = self._reader.failure
        if error is None:
            return None
        happened, hint = texts(error)
        damaged = error if isinstance(error, authlog.LogCorrupted) else None
        return {"happened": happened, "hint": hint, "damaged": damaged}

    # Parts

    def more(self, view: View) -> Values:
        """More rows."""
        index, matches = self.found(view.q)
        start = rows.rank_of(index, matches, view.before)
        page = rows.page(index, matches, start, day_of(datetime.now(UTC)), day=view.day)
        return {"view": view, "page": page}

    def fold(self, view: View) -> Values:
        """The rows of a fold, from `before` down to `until`."""
        index, matches = self.found(view.q)
        return {"view": view, "rows": rows.opened(index, matches, view.before, view.until)}

    def overview(self, view: View) -> Values:
        """Density and lanes: what a page asks for when its first rows are there."""
        self._reader.looked.set()
        index, matches = self.found(view.q)
        drawn = None
        if len(index):
            drawn = drawing.overview(index, matches, view.width, every=view.every)
        position = index.position(view.event) if view.event and drawn else None
        selected = None
        if drawn and position is not None and drawn.axis.holds(index.times[position]):
            selected = drawn.axis.x(index.times[position])
        return {
            "view": view,
            "drawn": drawn,
            "selected": selected,
            "loading": self._reader.index is None,
            "toggled": self._toggle(view.q),
            "narrowed": wording.replaced(view.q, since="", until=""),
        }

    def _toggle(self, text: str) -> Callable[[str], str]:
        def toggled(provider: str) -> str:
            return wording.toggled(text, "provider", provider)

        return toggled

    def event(self, view: View) -> Values:
        """One event."""
        index = self.index
        position = index.position(view.event)
        found = None if position is None else details.details(index, position)
        if found is None:
            found = self._early_details(view.event)
        only = None
        if found and len(found.event.providers) == 1:
            (name,) = found.event.providers
            only = wording.replaced(view.q, provider=wording.quoted(name))
        return {"view": view, "details": found, "asked": view.event, "only": only}

    def _early_details(self, seq: int) -> details.Details | None:
        early = [event for event in self._reader.newest if event.seq == seq]
        return details.details(Index(early), 0) if early else None

    def state(self, view: View) -> Values:
        """The state after an event."""
        index = self.index
        event, now = index.find(view.seq), index.state(index.last)
        found = index.state(view.seq) if event else {}
        entries = [
            (name, seq, change, past.members(change, change), _against(now.get(name), change))
            for name, (seq, change) in found.items()
        ]
        later = [name for name in now if name not in found]
        return {"view": view, "at": event, "entries": entries, "later": later, "asked": view.seq}

    def suggest(self, view: View) -> Values:
        """What the word being typed could become."""
        index = self.index
        found = filters.counted(index.events, view.word)[:SUGGESTED]
        return {"view": view, "suggestions": found, "hints": HINTS}

    def proved(self, view: View) -> Values:
        """What verify found."""
        failure = texts(self._proof.failure) if self._proof.failure else None
        return {
            "proof": self._proof,
            "health": self._proof.health,
            "unproved": failure,
        }

    def plan(self, view: View) -> Values:
        """What a restore would do."""
        found = restoring.plan(self._reader.log, self.index, view.provider, view.seq)
        return {"view": view, "plan": found, "refused": "", "refused_hint": ""}

    def news(self) -> dict[str, object]:
        """What an open page needs to know to see whether it is behind."""
        health = self._proof.health
        return {
            "seq": self.index.last,
            "total": len(self.index),
            "loading": self._reader.index is None,
            "begun": self._reader.begun.is_set(),
            "failed": str(self._reader.failure) if self._reader.failure else "",
            "proof": "running" if self._proof.running else "",
            "verified": health.seq if health and health.ok else 0,
        }


def _against(now: tuple[int, authlog.Change] | None, then: authlog.Change) -> str:
    """Return how what is there now differs from what was there then."""
    if now is None:
        return "removed since"
    return "" if now[1].members == then.members else "changed since"
