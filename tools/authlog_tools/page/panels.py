"""What fills the panel beside the list, the overview above it, dialogs and suggestions."""

from collections import Counter
from collections.abc import Callable

import msgspec

import authlog
from authlog_tools import filters, past
from authlog_tools.failures import texts
from authlog_tools.page import details, drawing, restoring, wording
from authlog_tools.page.index import Index
from authlog_tools.page.known import Known, Values
from authlog_tools.page.view import View

SUGGESTED = 8
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


def selected(known: Known, view: View) -> Values:
    """The event or the state that is selected, if one is."""
    if view.event:
        return event(known, view)
    return state(known, msgspec.structs.replace(view, seq=view.state)) if view.state else {}


def event(known: Known, view: View) -> Values:
    """One event."""
    index = known.index
    position = index.position(view.event)
    if position is None:  # it may be among the newest, and the others not yet read
        index = Index(one for one in list(known.reader.newest) if one.seq == view.event)
        position = index.position(view.event)
    found = None if position is None else details.details(index, position)
    only = None
    if found and len(found.event.providers) == 1:
        (name,) = found.event.providers
        only = wording.replaced(view.q, provider=wording.quoted(name))
    return {"view": view, "details": found, "asked": view.event, "only": only}


def state(known: Known, view: View) -> Values:
    """The state after an event."""
    index = known.index
    at, now = index.find(view.seq), index.state(index.last)
    found = index.state(view.seq) if at else {}
    entries = [
        (name, seq, change, past.members(change, change), _against(now.get(name), change))
        for name, (seq, change) in found.items()
    ]
    later = [name for name in now if name not in found]
    return {"view": view, "at": at, "entries": entries, "later": later, "asked": view.seq}


def _against(now: tuple[int, authlog.Change] | None, then: authlog.Change) -> str:
    """Return how what is there now differs from what was there then."""
    if now is None:
        return "removed since"
    return "" if now[1].members == then.members else "changed since"


def overview(known: Known, view: View) -> Values:
    """Density and lanes: what a page asks for when its first rows are there."""
    index, matches = known.found(view.q)
    drawn = drawing.overview(index, matches, view.width, every=view.every) if len(index) else None
    position = index.position(view.event) if view.event else None
    place = None
    if drawn and position is not None and drawn.axis.holds(index.times[position]):
        place = drawn.axis.x(index.times[position])
    return {
        "view": view,
        "drawn": drawn,
        "selected": place,
        "loading": known.loading,
        "failure": known.failure(),
        "toggled": _toggle(view.q),
        "narrowed": wording.replaced(view.q, since="", until=""),
    }


def _toggle(text: str) -> Callable[[str], str]:
    def toggled(provider: str) -> str:
        return wording.toggled(text, "provider", provider)

    return toggled


def suggest(known: Known, view: View) -> Values:
    """What the word being typed could become."""
    index, name = known.index, view.word.removeprefix("-").partition(":")[0]
    found = filters.suggested(index.said.get(name, Counter()), len(index), view.word)
    return {"view": view, "suggestions": found[:SUGGESTED], "hints": HINTS}


def proved(known: Known, view: View) -> Values:
    """What verify found."""
    proof = known.proof
    failure = texts(proof.failure) if proof.failure else None
    return {"proof": proof, "health": proof.health, "unproved": failure}


def plan(known: Known, view: View) -> Values:
    """What a restore would do."""
    found = restoring.plan(known.log, known.index, view.provider, view.seq)
    return {"view": view, "plan": found, "refused": ""}
