"""The public face: what is in it, what it says, and what it never says."""

import errno
import inspect
import pickle
import re
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

import authlog
from authlog import ApiKey, AuthLog, AuthLogError, Event, OAuth, Opaque, WellKnown, Writer, errors

SECRET = "sk-live-ThisMustNeverBeShown"
PATH = Path("/home/alice/auth.json")
EVENT = Event(
    seq=7,
    time=datetime(2026, 9, 21, 14, 13, 21, tzinfo=UTC),
    kind="set",
    writer=Writer("test", 1, "box", "alice"),
    providers={"groq": authlog.Change(type="api", members={"key": "85fa1502"})},
    hash="1" * 64,
    prev="0" * 64,
    commitment="2" * 64,
    synced=6,
)
NOT_IN_THE_TREE = (errors.AuthLogError, errors.Corruption, errors.Unacknowledged)
SAMPLES: tuple[AuthLogError, ...] = (
    errors.LockTimeout(PATH, 10.0, "opencode (4711)"),
    errors.LockTimeout(PATH, 10.0),
    errors.Conflict("groq", 3, 5),
    errors.LogCorrupted(PATH, 120, 3, "its hash does not fit"),
    errors.SnapshotCorrupted(PATH),
    errors.SnapshotCorrupted(PATH, PATH),
    errors.UnknownFormat(PATH, "v 2", "v 1"),
    errors.InvalidCredential("groq", "$.key: Expected `str`, got `int`"),
    errors.UnsafePermissions(PATH, 0o666, 0),
    errors.UnsafePermissions(PATH, 0o600, 1234),
    errors.StaleToken("groq", 3, datetime(2026, 9, 21, tzinfo=UTC)),
    errors.SecretErased(3),
    errors.SecretErased(3, "groq"),
    errors.NotWritten(PATH, errno.EIO),
    errors.StorageFull(PATH, errno.ENOSPC),
    errors.NotErased(PATH, errno.ENOSPC),
    errors.NotMaterialized(PATH, 7, errno.EROFS),
    errors.NotMaterialized(PATH, 7),
    errors.PublishTimeout(EVENT, PATH, 10.0, "opencode (4711)"),
    errors.NotDurable(EVENT, PATH, errno.EIO),
)


def tree(top: type[AuthLogError], indent: str = "") -> Iterator[str]:
    """Draw the classes below `top` as the docstring of `authlog.errors` does, without remarks."""
    children = top.__subclasses__()
    for child in children:
        last = child is children[-1]
        others = [base.__name__ for base in child.__bases__ if not issubclass(base, AuthLogError)]
        also = f" ({', '.join(others)})" if others else ""
        yield f"{indent}{'└── ' if last else '├── '}{child.__name__}{also}"
        yield from tree(child, indent + ("    " if last else "│   "))


def every_error(top: type[AuthLogError] = AuthLogError) -> Iterator[type[AuthLogError]]:
    yield top
    for child in top.__subclasses__():
        yield from every_error(child)


def public_things() -> Iterator[tuple[str, object]]:
    """Yield every public class and function, and the public members of the classes."""
    for name in authlog.__all__:
        thing: object = getattr(authlog, name)
        if not inspect.isclass(thing) and not inspect.isfunction(thing):
            continue
        yield name, thing
        if inspect.isclass(thing):
            for member, what in vars(thing).items():
                if not member.startswith("_") and (
                    inspect.isfunction(what) or isinstance(what, property)
                ):
                    yield f"{name}.{member}", what


def test_the_face_is_sorted_and_is_what_is_public() -> None:
    assert authlog.__all__ == sorted(authlog.__all__)
    public = {
        name
        for name, thing in vars(authlog).items()
        if not name.startswith("_") and not isinstance(thing, ModuleType)
    }
    assert public == set(authlog.__all__)


def test_every_error_is_in_the_face() -> None:
    ours = {error for error in every_error() if error.__module__ == errors.__name__}
    assert {error.__name__ for error in ours} <= set(authlog.__all__)
    assert {error.__name__ for error in every_error()} == {error.__name__ for error in ours}


@pytest.mark.parametrize(
    ("name", "thing"), [pytest.param(*pair, id=pair[0]) for pair in public_things()]
)
def test_every_public_thing_says_what_it_is(name: str, thing: object) -> None:
    said = vars(thing).get("__doc__") if inspect.isclass(thing) else getattr(thing, "__doc__", None)
    assert said, name
    assert said.strip().split("\n\n")[0].rstrip().endswith((".", ":")), name


def test_the_error_tree_is_the_one_that_is_drawn() -> None:
    assert errors.__doc__ is not None
    drawn = [
        re.sub(r"(?<=[\w)]) {2,}.*", "", line.removeprefix("    "))
        for line in errors.__doc__.splitlines()
        if line.lstrip("│ ").startswith(("├── ", "└── "))
    ]
    assert drawn == list(tree(AuthLogError))


def test_every_error_has_a_sample_here() -> None:
    assert {type(sample) for sample in SAMPLES} == set(every_error()) - set(NOT_IN_THE_TREE)


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_errors_pickle_whole(error: AuthLogError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert str(again) == str(error)
    assert getattr(again, "errno", None) == getattr(error, "errno", None)


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_errors_say_whom_they_are_about_in_one_line(error: AuthLogError) -> None:
    told = str(error)
    assert "\n" not in told
    assert str(PATH) in told or "groq" in told or "event 3" in told


@pytest.mark.parametrize(
    "credential",
    [
        {"type": "api", "key": [SECRET]},
        {"type": "api", "key": SECRET, "metadata": {SECRET: 1}},
        {"type": "oauth", "refresh": SECRET, "access": SECRET, "expires": SECRET},
        {"type": "wellknown", "key": SECRET},
        {"key": SECRET, "weight": float("nan")},
        {"key": SECRET, "what": SECRET.encode().__iter__()},
        {"key": SECRET, "what": {SECRET.encode(): object()}},
        {"key": SECRET + "\ud800"},
        ApiKey(key=SECRET, extra={"more": SECRET.encode()}),
        ApiKey(key=SECRET, metadata={SECRET: [SECRET]}),  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
        Opaque(f'{{"key":"{SECRET}"'.encode()),
        Opaque(f'"{SECRET}\\'.encode()),
        Opaque(SECRET.encode()),
        [SECRET],
        SECRET,
    ],
    ids=lambda credential: type(credential).__name__,
)
def test_what_is_refused_is_not_quoted(path: Path, credential: ApiKey | dict[str, object]) -> None:
    with pytest.raises((AuthLogError, TypeError)) as refused:
        AuthLog(path).set("groq", credential)
    error: BaseException | None = refused.value
    assert SECRET not in "".join(traceback.format_exception(refused.value))
    while error is not None:
        assert SECRET not in f"{error}{error!r}{error.args!r}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.parametrize(
    "credential",
    [
        ApiKey(key=SECRET, metadata={"team": SECRET}, extra={"more": f'"{SECRET}"'.encode()}),
        OAuth(refresh=SECRET, access=SECRET, expires=1, accountId=SECRET, enterpriseUrl=SECRET),
        WellKnown(key=SECRET, token=SECRET),
        Opaque(f'{{"type":"future","key":"{SECRET}"}}'.encode()),
        Opaque(f'["{SECRET}"]'.encode()),
    ],
    ids=lambda credential: type(credential).__name__,
)
def test_nothing_that_is_printed_shows_a_secret(
    path: Path, credential: ApiKey | OAuth | WellKnown | Opaque
) -> None:
    log = AuthLog(path)
    event = log.set("groq", credential)
    shown = [credential, log, event, log.get("groq"), log.all(), log.verify(), *log.history()]
    assert SECRET not in "".join(f"{thing}{thing!r}{thing:}" for thing in shown)
    assert SECRET not in str(list(credential.__rich_repr__()))
