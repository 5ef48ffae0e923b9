"""What fills the list and all that stands above it: rows, counts, kinds, and what is wrong."""

from datetime import UTC, datetime

from authlog_tools import filters, words
from authlog_tools.page import drawing, panels, rows, wording
from authlog_tools.page.index import Index, day_of
from authlog_tools.page.known import Known, Values
from authlog_tools.page.matching import Matches
from authlog_tools.page.view import View

PATIENCE = 0.6  # s that a page waits for its first rows before it shows that it is loading


def whole(known: Known, view: View) -> Values:
    """The page: the list and what is selected; with the newest rows, if they come soon."""
    known.reader.begun.wait(PATIENCE)
    lanes = min(len(known.index.lives), drawing.LANES) or 3
    shown = listed(known, view)
    return {**panels.selected(known, view), **shown, "news": known.news(), "lanes": lanes}


def listed(known: Known, view: View) -> Values:
    """The list, its counts, and what is wrong with the filter."""
    problem = None
    try:
        index, matches = known.find(view.q)
    except filters.FilterError as error:
        problem, index, matches = error, known.index, Matches(Index(), "")
    return {
        "view": view,
        "loading": known.loading,
        "page": _page(known, index, matches, view),
        "total": len(index),
        "count": len(matches),
        "kinds": _kinds(index, view),
        "problem": problem,
        "mended": _mended(view.q, problem),
        "failure": known.failure(),
        "proof": known.proof,
        "known": filters.NAMES,
    }


def more(known: Known, view: View) -> Values:
    """More rows: older than `before`, or newer than `after`."""
    index, matches = known.found(view.q)
    if view.after:
        return {"view": view, "page": rows.page_above(index, matches, view.after, _today())}
    start = rows.rank_of(index, matches, view.before)
    return {"view": view, "page": rows.page(index, matches, start, _today(), day=view.day)}


def fold(known: Known, view: View) -> Values:
    """The rows of a fold, from `before` down to `until`."""
    index, matches = known.found(view.q)
    return {"view": view, "rows": rows.opened(index, matches, view.before, view.until)}


def _page(known: Known, index: Index, matches: Matches, view: View) -> rows.Page:
    if known.loading:
        return rows.Page(list(rows.early(known.early(view.q), _today())))
    start = 0
    if view.start == "oldest":
        start = max(0, len(matches) - rows.PAGE // 2)
    elif view.event:
        rank = rows.rank_of(index, matches, view.event)
        start = rank - rows.ABOVE if rank >= rows.PAGE // 2 else 0
    return rows.page(index, matches, start, _today())


def _today() -> int:
    return day_of(datetime.now(UTC))


def _kinds(index: Index, view: View) -> list[tuple[str, str, int, bool, str]]:
    """Return (kind, family, how many, asked for?, the filter after a click) for each there is."""
    asked = (wording.value_of(view.q, "kind") or "").split(",")
    return [
        (
            kind,
            words.family(kind),
            index.kinds[kind],
            kind in asked,
            wording.toggled(view.q, "kind", kind),
        )
        for kind in words.MEANING
        if index.kinds[kind]
    ]


def _mended(text: str, problem: filters.FilterError | None) -> str | None:
    """Return the filter with the nearest qualifier in the place of the unknown one."""
    if problem is None or problem.nearest is None:
        return None
    head, _, value = problem.word.partition(":")
    minus = "-" if head.startswith("-") else ""
    return text[: problem.start] + f"{minus}{problem.nearest}:{value}" + text[problem.end :]
