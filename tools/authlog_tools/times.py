"""Moments and lengths of time as people write them: 2d, today, 2026-11-20T10:00."""

import re
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(r"(?:\d+[smhdw])+")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(text: str) -> timedelta:
    """Return a length of time such as 30d, 2d6h or 0.

    Raises:
        ValueError: it is none.

    """
    if text != "0" and not _SPAN.fullmatch(text):
        raise ValueError(f"{text}: expected a length of time such as 30d, 2d6h or 0")
    parts = re.findall(r"(\d+)([smhdw])", text)
    try:
        return sum((timedelta(**{_UNITS[unit]: int(n)}) for n, unit in parts), timedelta())
    except OverflowError:
        raise ValueError(f"{text}: expected a length of time that a calendar knows") from None


def moment(text: str, now: datetime) -> datetime:
    """Return a moment such as 2d (ago), today, 2026-11-20 or 2026-11-20T10:00, in UTC.

    Raises:
        ValueError: it is none.

    """
    midnight = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    if text == "today":
        return midnight.astimezone(UTC)
    if text == "yesterday":
        return (midnight - timedelta(days=1)).astimezone(UTC)
    try:
        if _SPAN.fullmatch(text):
            return now - duration(text)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("expected a time such as 2d, 2026-11-20 or 2026-11-20T10:00") from None
