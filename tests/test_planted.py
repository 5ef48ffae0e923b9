"""Each planted bug is found by the test that holds its rule."""

import pytest

from tools.proof import planted
from tools.proof.planted import PLANTED, Planted

HARMLESS = Planted(
    "harmless",
    "none",
    "errors.py",
    "import shlex\n",
    "import shlex  \n",
    "test_traces.py -k test_3_a_bad",
)


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_each_is_found(bug: Planted) -> None:
    assert not planted.survives(bug)


def test_a_bug_that_changes_nothing_survives(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(planted, "PLANTED", [HARMLESS])
    assert planted.main([]) == 1
    assert capsys.readouterr().out.startswith("SURVIVED  harmless")


def test_a_bug_that_does_not_fit_the_code_says_so() -> None:
    gone = Planted("gone", "none", "errors.py", "not there", "", "x")
    with pytest.raises(ValueError, match="stands 0 times"):
        planted.survives(gone)
