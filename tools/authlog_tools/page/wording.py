"""Rewrites the text of the filter box, word by word: a click writes a qualifier into it."""

import re

_WORD = re.compile(r"""(?:[^\s"']|"[^"]*"?|'[^']*'?)+""")


def split(text: str) -> list[str]:
    """Return its words, quotes kept."""
    return _WORD.findall(text)


def value_of(text: str, name: str) -> str | None:
    """Return the first value of a qualifier."""
    head = f"{name}:"
    return next((word[len(head) :] for word in split(text) if word.startswith(head)), None)


def toggled(text: str, name: str, value: str) -> str:
    """Return it asking for that value among the qualifier's others, or no more if it did."""
    found, value = value_of(text, name), quoted(value)
    values = [part for part in (found or "").split(",") if part]
    values = [part for part in values if part != value] if value in values else [*values, value]
    return replaced(text, **{name: ",".join(values)})


def replaced(text: str, **values: str) -> str:
    """Return it with these qualifiers in the place of its own of that name; "" is none."""
    heads = tuple(f"{name}:" for name in values)
    kept = [word for word in split(text) if not word.startswith(heads)]
    return " ".join([*kept, *(f"{name}:{value}" for name, value in values.items() if value)])


def quoted(value: str) -> str:
    """Return a value as it stands behind a qualifier; what can't stand there becomes a `*`."""
    safe = re.sub(r"""["',\\]""", "*", value)
    return f'"{safe}"' if re.search(r"\s", safe) or not safe else safe
