"""The format of a line: what the specification shows, and what is not a whole line."""

import re

import pytest

from authlog import Writer
from authlog._engine import codec
from authlog._engine.codec import Draft, Newer, NotWhole

ID = "cd072cd8be6f9f62ac4c09c28206e7e3"


def worked_lines() -> list[bytes]:
    """Return the lines of the worked example, put together again."""
    assert codec.__doc__ is not None
    example = re.findall(r"^    \{\"event\":\{.*\n(?:^        .*\n)*", codec.__doc__, re.MULTILINE)
    return [
        b"".join(part.encode() for part in re.findall(r"^ +(.*)$", text, re.MULTILINE))
        for text in example
    ]


def encoded(draft: Draft) -> bytes:
    return codec.encode(
        draft,
        seq=2,
        synced=1,
        prev="0" * 64,
        id=ID,
        time=codec.timestamp(1_790_000_000_000_000_000),
        writer=Writer("test", 1, "box", "alice"),
        salt=b"0123456789abcdef",
    )[0]


def rehashed(line: bytes, old: bytes, new: bytes) -> bytes:
    """Return the line with its event changed, and the hash that fits it then."""
    start, end = line.index(b'{"v"'), line.index(b',"hash":"')
    assert line.count(old, start, end) == 1
    event = line[start:end].replace(old, new)
    return line.replace(line[start:end], event).replace(
        line[end + 9 : end + 73], codec.digest(event).encode()
    )


LINE = encoded(Draft(kind="set", value={"a": b'{"type":"api","key":"k"}', "b": None}))


def test_the_worked_example_is_what_is_read_and_written() -> None:
    first, second = (codec.decode(line + b"\n") for line in worked_lines())
    assert (first.public.kind, first.public.id, first.value) == ("init", ID, {})
    assert second.public.prev == first.hash
    assert second.value == {"groq": b'{"type":"api","key":"k1"}'}
    line, _, _ = codec.encode(
        Draft(kind="set", value=second.value or {}),
        seq=2,
        synced=1,
        prev=first.hash,
        id=ID,
        time=second.public.time,
        writer=second.public.writer,
        salt=bytes.fromhex("62e6e282e5c1657c78c3a967b36711eb"),
    )
    assert line == worked_lines()[1] + b"\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"event":', b'{ "event":'),
        (b',"hash":', b', "hash":'),
        (b'"secret":{', b'"secreu":{'),
        (b'"secret":{', b'"secret":null,"secret":{'),
        (b'"secret":{"salt"', b'"secret":{ "salt"'),
        (b'"salt":"30', b'"salt":"31'),
        (b'"salt":"30', b'"salt":"3'),
        (b'"salt":"30', b'"salt":"zz'),
        (b'"value":{', b'"value":{"c":1,'),
        (b'"k"}', b'"l"}'),
        (b'"kind":"set"', b'"kind":"use"'),
        (b'"event":{"v"', b'"event":{"v":1,"v"'),
        (b"}}}", b"}}"),
        (b"api", b"ap\xff"),
        (b"\n", b""),
        (b"\n", b"\n\n"),
        (b'"value":{', b'"value":' + b"[" * 201 + b"{"),
    ],
)
def test_a_line_that_was_changed_is_not_whole(old: bytes, new: bytes) -> None:
    with pytest.raises(NotWhole):
        codec.decode(LINE.replace(old, new, 1))


def test_a_line_with_an_erased_secret_is_whole_and_says_so() -> None:
    erased = LINE[: LINE.index(b'"secret":')] + b'"secret":null}\n'
    assert codec.decode(erased).value is None
    assert codec.decode(erased).public == codec.decode(LINE).public


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (b'{"v":1', b'{"v":2', "version 2"),
        (b'{"v":1', b'{"v":2,"colour":"red"', "version 2"),
        (b'{"v":1', b'{"v":1,"colour":"red"', "not what it should be"),
        (b'"kind":"set"', b'"kind":"merge"', "not what it should be"),
        (b'"pid":1', b'"pid":1,"tty":2', "not what it should be"),
        (b'"seq":2,"synced":1', b'"synced":1,"seq":2', "another order"),
        (b'"seq":2', b'"seq":1,"seq":2', "another order"),
        (b'{"v":1', b'{"v":[1]', "version [1]"),
    ],
)
def test_a_whole_line_with_something_unknown_is_of_a_newer_authlog(
    old: bytes, new: bytes, found: str
) -> None:
    with pytest.raises(Newer, match=re.escape(found)):
        codec.decode(rehashed(LINE, old, new))


def test_an_event_that_is_no_object_is_of_a_newer_authlog_too() -> None:
    event = b"[1]"
    line = b'{"event":%b,"hash":"%b","secret":null}\n' % (event, codec.digest(event).encode())
    with pytest.raises(Newer):
        codec.decode(line)


def test_escapes_that_another_writer_chose_are_read() -> None:
    line = rehashed(LINE, b'"user":"alice"', b'"user":"\\u0061lice"')
    assert codec.decode(line).public.writer.user == "alice"


def test_a_secret_of_other_providers_than_the_event_is_not_whole() -> None:
    with pytest.raises(NotWhole, match="other providers"):
        codec.decode(rehashed(LINE, b'"b":null', b'"c":null'))


def test_type_and_expires_are_in_the_open_only_where_they_are_what_they_should_be() -> None:
    key = bytes.fromhex(ID)
    shown = codec.describe(b'{"type":"oauth","expires":-5,"refresh":"r"}', key, seq=7)
    assert (shown.type, shown.expires, list(shown.members), shown.seq) == (
        "oauth", -5, ["refresh"], 7,
    )  # fmt: skip
    for raw in (b'{"type":"My secret"}', b'{"type":5}', b'{"type":"%b"}' % (b"a" * 33)):
        assert codec.describe(raw, key).type is None
        assert list(codec.describe(raw, key).members) == ["type"]
    for raw in (b'{"expires":1.0}', b'{"expires":"1"}', b'{"expires":9223372036854775808}'):
        assert codec.describe(raw, key).expires is None
        assert list(codec.describe(raw, key).members) == ["expires"]
    assert list(codec.describe(b'"text"', key).members) == [""]


def test_a_fingerprint_depends_on_the_log_and_shows_nothing() -> None:
    one, other = (
        codec.fingerprint(b'"k1"', bytes.fromhex(ID)),
        codec.fingerprint(b'"k1"', b"x" * 16),
    )
    assert one == "85fa1502" != other


def test_a_time_is_written_with_six_digits_and_read_back() -> None:
    assert codec.timestamp(1_790_000_000_000_000_000) == "2026-09-21T14:13:20.000000Z"
    assert codec.time_ns("2026-09-21T14:13:20.000123Z") == 1_790_000_000_000_123_000
