"""What JavaScript reads where we read bytes."""

import json

import pytest

from authlog._engine import javascript, snapshot, text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"n":9007199254740993}', '{"n":9007199254740992}'),
        ('{"n":1.0}', '{"n":1}'),
        ('{"n":1E2}', '{"n":100}'),
        ('{"a":1,"b":[{"c":2,"d":3}]}', '{"b":[{"d":3,"c":2}],"a":1}'),
        ('"\\u0061"', '"a"'),
    ],
)
def test_credentials_are_the_same_if_javascript_reads_the_same(one: str, other: str) -> None:
    assert javascript.same(one.encode(), other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [('{"n":1}', '{"n":true}'), ('{"n":1}', '{"n":"1"}'), ("[1,2]", "[2,1]"), ("1e400", "2e400")],
)
def test_credentials_differ_if_javascript_reads_something_else(one: str, other: str) -> None:
    assert not javascript.same(one.encode(), other.encode())


def test_a_number_beyond_all_doubles_is_null_to_javascript() -> None:
    assert javascript.same(b'{"n":1%b}' % (b"0" * 400), b'{"n":null}')


@pytest.mark.parametrize(
    ("content", "entries", "replaced"),
    [
        (b'{"a":"\\ud800"}', {"a": "\ufffd"}, ("a",)),
        (b'{"a":"\\uDFFF\\ud800\\ud83d\\ude00"}', {"a": "\ufffd\ufffd\U0001f600"}, ("a",)),
        (b'{"a":"\\\\ud800","b":"\\udc00"}', {"a": "\\ud800", "b": "\ufffd"}, ("b",)),
        (b'{"a":"\xff\xfe","b":"\xc3\xa4"}', {"a": "\ufffd", "b": "\xe4"}, ("a",)),
        (b'\xef\xbb\xbf{"a":"\\ud800"}', {"a": "\ufffd"}, ("a",)),
        (b'{"a":"\\ufdd0\\ud800\xef\xb7\x91"}', {"a": "\ufdd0\ufffd\ufdd1"}, ("a",)),
        (b'{"a":{"deep":["\\ud800"]}}', {"a": {"deep": ["\ufffd"]}}, ("a",)),
    ],
)
def test_what_is_no_unicode_is_read_as_javascript_reads_it(
    content: bytes, entries: dict[str, object], replaced: tuple[str, ...]
) -> None:
    reading = snapshot.parse(content)
    assert {name: json.loads(raw) for name, raw in reading.entries.items()} == entries
    assert (reading.replaced, reading.omitted) == (replaced, ())
    assert reading.found is not None


def test_a_name_that_is_no_unicode_is_left_out() -> None:
    reading = snapshot.parse(b'{"a\\ud800":1,"":2,"b":3}')
    assert (set(reading.omitted), reading.replaced) == ({"a\ufffd", ""}, ())
    assert reading.filed == {"b": b"3"}


@pytest.mark.parametrize("content", [b'{"a":"\\ud800"', b'["\\ud800"]', b'{"a":"\\u12"}', b"\xff"])
def test_what_javascript_can_not_read_either_is_damage(content: bytes) -> None:
    with pytest.raises(text.Undecodable):
        snapshot.parse(content)
