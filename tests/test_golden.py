"""Old logs always open: `golden/` was written once and is never written again.

v1 is of one log: an import, an account and its use, a foreign write, a line carried over a failed
sync, a removal, a restore, a quarantine; the secrets of event 4 are erased.
"""

import hashlib
import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from authlog import AuthLog, SecretErased
from authlog._engine import rotation

GOLDEN = Path(__file__).parent / "golden" / "v1"
SEGMENTS = ("000001.jsonl", "000002.jsonl")


def digest(data: bytes, size: int = 32, key: bytes = b"") -> str:
    return hashlib.blake2b(data, digest_size=size, key=key).hexdigest()


def split(line: bytes) -> tuple[bytes, str, bytes]:
    """Return event, hash and secret of a line, by its exact frame."""
    assert line.startswith(b'{"event":{')
    end = line.index(b',"hash":"')
    found, secret = line[end + 9 : end + 73], line[end + 74 :]
    assert line[end + 73 : end + 84] == b'","secret":'
    assert line.endswith(b"}\n")
    return line[9:end], found.decode(), secret[10:-2]


def test_the_golden_log_is_proved_with_the_standard_library_alone() -> None:
    prev, key, state, last = "0" * 64, b"", dict[str, object](), 0
    erased: list[int] = []
    first_of_second = json.loads(split(_lines(SEGMENTS[1])[0])[0])["seq"]
    for name in SEGMENTS:
        for line in _lines(name):
            raw, found, secret = split(line)
            event = json.loads(raw)
            if name == SEGMENTS[0] and event["seq"] >= first_of_second:
                continue
            assert digest(raw) == found
            assert (event["seq"], event["prev"]) == (last + 1, prev)
            prev, last = found, event["seq"]
            key = bytes.fromhex(event.get("id", key.hex()))
            if secret == b"null":
                erased.append(event["seq"])
                continue
            value = secret[len(b'{"salt":"') + 32 + len(b'","value":') : -1]
            salt = bytes.fromhex(json.loads(secret)["salt"])
            assert digest(salt + value) == event["commitment"]
            state = {} if event["kind"] in ("init", "checkpoint") else state
            state |= json.loads(value)
            _hold_to_fingerprints(event["providers"], json.loads(secret)["value"], key)
    expected = json.loads((GOLDEN / "state.json").read_text())
    assert {name: what for name, what in state.items() if what is not None} == expected["filed"]
    assert erased == [4]


def _lines(name: str) -> list[bytes]:
    return (GOLDEN / name).read_bytes().splitlines(keepends=True)


def _hold_to_fingerprints(
    providers: dict[str, dict[str, dict[str, str]] | None], value: dict[str, object], key: bytes
) -> None:
    for name, change in providers.items():
        what = value[name]
        if change is None or not isinstance(what, dict):
            assert (change is None) == (what is None)
            continue
        for member, found in change["members"].items():
            if not isinstance(what[member], float | list):  # whose notation json does not keep
                text = json.dumps(what[member], ensure_ascii=False, separators=(",", ":"))
                assert digest(text.encode(), 4, key) == found


@pytest.fixture
def log(path: Path, monkeypatch: pytest.MonkeyPatch) -> AuthLog:
    """Return a copy of it, opened, whose old secrets are not erased for their age."""
    monkeypatch.setattr(rotation, "RETENTION", timedelta(days=36_500))
    folder = path.parent / "auth.json.log"
    folder.mkdir(mode=0o700)
    for name in SEGMENTS:
        shutil.copy(GOLDEN / name, folder)
        (folder / name).chmod(0o600)
    return AuthLog(path)


def test_the_golden_log_opens_and_shows_its_state(log: AuthLog) -> None:
    expected = json.loads((GOLDEN / "state.json").read_text())
    assert {name: what.value for name, what in log.all().items()} == expected["filed"]
    assert json.loads(log.path.read_bytes()) == expected["shown"]
    assert log.get("anthropic") == log.get("anthropic@work")
    assert log.verify().ok
    seq = log.seq()
    assert log.update("anthropic", access="newer").providers.keys() == {"anthropic@work"}
    assert log.seq() == seq + 1
    assert json.loads(log.path.read_bytes())["anthropic"]["access"] == "newer"


def test_the_golden_log_says_which_states_were_erased(log: AuthLog) -> None:
    assert "anthropic" in log.at(3)
    for seq in (4, 5):
        with pytest.raises(SecretErased):
            log.at(seq)
    with pytest.raises(SecretErased) as caught:
        log.restore("https://example.com", 6)
    assert caught.value.provider == "https://example.com"
    assert [event.seq for event in log.history() if event.erased] == [4]
    assert log.at(log.seq()) == log.all()
