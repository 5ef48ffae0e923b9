"""Points in history as people name them: a seq, a time, or PROVIDER~N, N of its changes ago."""

import re
from datetime import UTC, datetime
from itertools import islice

from authlog import AuthLog
from authlog_tools import times
from authlog_tools.failures import Failure


def seq_of(log: AuthLog, text: str) -> int:
    """Return the seq that is meant: for a time, that of the last event up to it, 0 before all.

    Raises:
        Failure: there is no such point.

    """
    back = re.fullmatch(r"(.+)~(\d+)", text)
    if text.isdigit():
        return _known(log, int(text))
    if back is not None:
        return _ago(log, back[1], int(back[2]))
    return before(log, text)


def before(log: AuthLog, text: str) -> int:
    """Return the seq of the last event up to a time.

    Raises:
        Failure: it is no time.

    """
    try:
        moment = times.moment(text, datetime.now(UTC))
    except ValueError as error:
        hint = "or a seq, or PROVIDER~1 for the state before its last change"
        raise Failure(text, str(error), hint, code=2) from None
    return next((event.seq for event in log.history(reverse=True) if event.time <= moment), 0)


def _known(log: AuthLog, seq: int) -> int:
    newest = log.seq()
    if seq > newest:
        hint = f"the newest is {newest}: see authlog history"
        raise Failure(str(seq), f"there is no such event in {log.path}", hint)
    return seq


def _ago(log: AuthLog, provider: str, back: int) -> int:
    changes = log.history(provider, reverse=True)
    event = next(islice(changes, back, None), None)
    if event is None:
        hint = f"see authlog history {provider}"
        raise Failure(f"{provider}~{back}", f"it has not changed as often in {log.path}", hint)
    return event.seq
