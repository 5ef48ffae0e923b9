"""Planted bugs fit the code, and are found; `python -m tools.proof.planted` tries all of them."""

import pytest

from tools.proof import planted
from tools.proof.planted import PLANTED, Planted

QUICK = ("carry-nothing", "show-before-the-mark", "the-frame-is-not-exact")


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_each_fits_the_code_in_one_place(bug: Planted) -> None:
    code = (planted.ROOT / "authlog" / bug.file).read_text()
    assert code.count(bug.old) == 1
    file, *_ = bug.test.split(" ")
    assert (planted.ROOT / "tests" / file).is_file()


@pytest.mark.parametrize("name", QUICK)
def test_some_are_found_right_here(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert planted.main([name]) == 0
    assert capsys.readouterr().out.startswith("found")


def test_a_bug_that_changes_nothing_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    harmless = Planted("harmless", "none", "errors.py", "import shlex\n", "import shlex \n", "x")
    monkeypatch.setattr(planted, "PLANTED", [harmless])
    monkeypatch.setattr(planted, "_passes", lambda test, root: True)
    assert planted.main([]) == 1
    gone = Planted("gone", "none", "errors.py", "not there", "", "x")
    with pytest.raises(ValueError, match="stands 0 times"):
        planted.survives(gone)
