"""Typed views of a credential: what they show, and what they hide."""

from pathlib import Path

import pytest

from authlog import ApiKey, AuthLog, OAuth, credentials


def test_every_view_hides_its_secrets_from_rich_too() -> None:
    for credential in (ApiKey("secret"), credentials.Opaque(b'{"type":"x","a":"secret"}')):
        shown = credential.__rich_repr__()
        assert "secret" not in repr(shown)
        assert [name for name, _ in shown] == ["key" if credential.type == "api" else "a"]
    assert repr(OAuth("r", "a", 5)).endswith("expires=5)")


def test_a_repr_never_fails() -> None:
    assert repr(ApiKey("secret", extra={"x": b"{"})) == "ApiKey(<not JSON>)"
    assert repr(credentials.Opaque(b"{")) == "Opaque(<not JSON>)"
    assert credentials.Opaque(b"{}").type is None
    assert repr(credentials.Opaque(b"{}")) == "Opaque()"


@pytest.mark.parametrize(
    "entry", ['{"type":"oauth","refresh":"r"}', '{"type":"api","key":5}', '{"type":"api"}', "[]"]
)
def test_an_entry_of_a_wrong_shape_is_opaque(path: Path, entry: str) -> None:
    path.write_text(f'{{"a":{entry}}}')
    assert AuthLog(path).get("a") == credentials.Opaque(entry.encode())
