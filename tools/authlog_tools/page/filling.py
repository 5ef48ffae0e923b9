"""Fills templates. Everything is escaped: names come from files that anybody could write."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from urllib.parse import quote, urlencode

import jinja2

from authlog_tools import words

HUES = 36  # classes of the style sheet for the swatch of a fingerprint


def fill_template(name: str, values: Mapping[str, object]) -> str:
    """Return the template filled with these values."""
    return _environment().get_template(name).render(values)


def prepare() -> None:
    """Compile all templates, which takes 0.1 s, before the first is asked for."""
    for name in _environment().list_templates(extensions=["html"]):
        _environment().get_template(name)


@cache
def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("authlog_tools.page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # By `vars`: the attributes are typed as holding what comes with jinja2 only.
    vars(found)["filters"].update(
        {
            "hue": hue,
            "ago": words.ago,
            "clock": clock,
            "full": full,
            "many": words.many,
            "day": words.day_name,
        }
    )
    vars(found)["globals"].update(
        {
            "address": address,
            "query": query,
            "meaning": words.MEANING,
            "family": words.family,
        }
    )
    return found


def address(q: str = "", event: int = 0, state: int = 0, start: str = "") -> str:
    """Return the page's address for what is asked for and selected."""
    asked = query(q=q, event=event, state=state, start=start)
    return f"/?{asked}" if asked else "/"


def query(**given: object) -> str:
    """Return what stands behind the `?` of an address, without what is empty."""
    return urlencode({name: value for name, value in given.items() if value}, quote_via=quote)


def hue(fingerprint: str) -> int:
    """Return which of the hues a fingerprint has: the same for equal secrets."""
    try:
        return int(fingerprint[:6], 16) % HUES
    except ValueError:
        return 0


def clock(moment: datetime, *, seconds: bool = True) -> str:
    """Return the time of day here."""
    here = moment.astimezone()
    return f"{here:%H:%M:%S}" if seconds else f"{here:%H:%M}"


def full(moment: datetime) -> str:
    """Return the whole time with its zone."""
    return moment.astimezone().isoformat(sep=" ", timespec="milliseconds")
