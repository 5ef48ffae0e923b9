"""The real opencode beside `authlog guard`: what is lost was reported as a collision before."""

import sys
from pathlib import Path
from random import Random

import pytest

import needs
from authlog import AuthLog
from authlog_tools.real_opencode import Opencode
from opencode import find_opencode, requires_opencode
from tools.bench import foreign, storm

pytestmark = [needs.leases, requires_opencode]


@pytest.mark.parametrize("servers", [2, 3])
def test_what_is_lost_was_reported(tmp_path: Path, servers: int) -> None:
    program = find_opencode()
    assert program is not None
    opencode = Opencode(program, tmp_path)
    path = opencode.auth_json
    path.parent.mkdir(parents=True)
    log = AuthLog(path)
    log.change(storm.UNKNOWN)
    rounds = storm.planned(Random(servers), servers, 40, kill=True)
    with foreign.guard(path, watch=False) as said:
        outcome = storm.storm(opencode, rounds, servers, own=log)
    assert outcome.acknowledged > 40
    assert len(outcome.lost) <= foreign.reported(said), outcome.lost
    assert storm.unknown_entries(path) == storm.UNKNOWN


@needs.listeners
def test_under_run_a_storm_loses_nothing(tmp_path: Path) -> None:
    program = find_opencode()
    assert program is not None
    plain = Opencode(program, tmp_path)
    plain.auth_json.parent.mkdir(parents=True)
    log = AuthLog(plain.auth_json)
    log.change(storm.UNKNOWN)
    under = ("-m", "authlog_tools", "run", "-q", "--path", str(plain.auth_json), "--")
    opencode = Opencode(program, tmp_path, (sys.executable, *under))
    outcome = storm.storm(opencode, storm.planned(Random(7), 3, 60, kill=True, rest=1), 3, own=log)
    assert outcome.acknowledged > 60
    assert outcome.lost == ()
    assert storm.unknown_entries(plain.auth_json) == storm.UNKNOWN
