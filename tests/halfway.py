"""Stores in the middle of something: rotated, appended to and not published, left by the dead."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

import pytest

from authlog import ApiKey, AuthLog, Unacknowledged, credentials, testing
from authlog._engine import lock, rotation

KEY = ApiKey("k")


def rotated(path: Path, monkeypatch: pytest.MonkeyPatch) -> AuthLog:
    """Return a store of two segments."""
    one = AuthLog(path)
    one.set("a", KEY)
    with monkeypatch.context() as patch:
        patch.setattr(rotation, "ROTATE_AT", 0)
        one.set("a", ApiKey("2"))
    one.set("a", ApiKey("3"))
    return one


def hold_publish_lock(path: Path) -> int:
    """Return a descriptor that holds publish.lock until it is closed."""
    held = os.open(path.parent / "auth.json.log" / "publish.lock", os.O_RDWR)
    assert lock.try_lock(held)
    return held


def append_only(
    one: AuthLog,
    path: Path,
    patch: Mapping[str, credentials.Credential] = MappingProxyType({"b": KEY}),
) -> int:
    """Append a change that is not published; return where it begins."""
    begins = (path.parent / "auth.json.log" / "000001.jsonl").stat().st_size
    held = hold_publish_lock(path)
    with pytest.raises(Unacknowledged):
        one.change(patch)
    os.close(held)
    return begins


def die_at(verb: str) -> AbstractContextManager[None]:
    """Let a publish end before its first such step and leave behind what a killed one does."""

    def dies(called: str) -> None:
        if called == verb:
            raise KeyboardInterrupt

    return testing.steps(dies)
