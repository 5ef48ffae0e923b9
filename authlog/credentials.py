"""Typed views over the JSON of a credential; what no view knows is kept as it is.

A view is a frozen value: `msgspec.structs.replace` makes a changed one. The known ones mirror
opencode's entries (its `Auth.Info`) and hold the members they don't know in `extra`, name -> JSON
text. A repr shows each secret as 8 hex digits, equal within this process where the secrets are
equal, and meaning nothing outside of it.
"""

import math
import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from types import UnionType
from typing import ClassVar, TypeGuard, get_args

import msgspec
from msgspec import Raw, Struct

from authlog._engine import text
from authlog.errors import InvalidCredential

NAME_LIMIT = 256  # characters of a provider's name

_KEY = os.urandom(16)  # of this process: its reprs can't be compared with anything elsewhere
_VALUE = msgspec.json.Decoder(object)
_STRING = msgspec.json.Decoder(str)


class _Known(Struct, frozen=True, kw_only=True):
    """What the views of the types that opencode knows have in common."""

    type: ClassVar[str]
    extra: Mapping[str, bytes] = msgspec.field(default_factory=dict[str, bytes])

    @property
    def raw(self) -> bytes:
        """The credential as JSON text without line breaks: type, known members, `extra`."""
        known = {name: getattr(self, name) for name in _known_members(type(self))}
        shown = {name: value for name, value in known.items() if value is not None}
        extra = {
            name: Raw(text.compact(raw))
            for name, raw in self.extra.items()
            if name not in known and name != "type"
        }
        return msgspec.json.encode({"type": self.type, **shown, **extra})

    @property
    def value(self) -> object:
        """The credential as Python values."""
        return text.decode(_VALUE, self.raw)

    def __repr__(self) -> str:
        return _without_secrets(self)

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return list(_shown(self.raw))


class ApiKey(_Known, frozen=True):
    """A key that is sent as it is: opencode's `api`."""

    type: ClassVar[str] = "api"
    key: str
    metadata: Mapping[str, str] | None = None


class OAuth(_Known, frozen=True):
    """A login by OAuth: opencode's `oauth`. `expires` is in ms since 1970, UTC."""

    type: ClassVar[str] = "oauth"
    refresh: str
    access: str
    expires: int
    accountId: str | None = None  # noqa: N815  named as in the file
    enterpriseUrl: str | None = None  # noqa: N815  named as in the file


class WellKnown(_Known, frozen=True):
    """A login at a server that describes itself: opencode's `wellknown`."""

    type: ClassVar[str] = "wellknown"
    key: str
    token: str


class Opaque(Struct, frozen=True):
    """A credential of a type or shape that no view knows: `raw` is its JSON text."""

    raw: bytes

    @property
    def type(self) -> str | None:
        """The member `type` if it is a string, else None."""
        return _type_of(text.members(self.raw))

    @property
    def value(self) -> object:
        """The credential as Python values."""
        return text.decode(_VALUE, self.raw)

    def __repr__(self) -> str:
        return _without_secrets(self)

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return list(_shown(self.raw))


Credential = ApiKey | OAuth | WellKnown | Opaque


_VIEWS: dict[str, type[ApiKey] | type[OAuth] | type[WellKnown]] = {
    "api": ApiKey,
    "oauth": OAuth,
    "wellknown": WellKnown,
}


def parse(raw: bytes) -> Credential:
    """Return the view of a credential's JSON text, Opaque if no other fits its type and shape."""
    members = text.members(raw)
    view = _VIEWS.get(_type_of(members) or "")
    if members is None or view is None:
        return Opaque(raw)
    try:
        known = {
            name: text.decode(decoder, bytes(members[name]))
            for name, decoder in _known_members(view).items()
            if name in members
        }
        extra = {
            name: bytes(raw)
            for name, raw in members.items()
            if name not in known and name != "type"
        }
        return view(**known, extra=extra)  # type: ignore[arg-type]
    except (text.Undecodable, TypeError):
        return Opaque(raw)


def to_text(
    provider: str, credential: Credential | Mapping[str, object], over: bytes | None = None
) -> bytes:
    """Return the compact JSON text to file for `credential`.

    A typed view keeps the members of `over`, the credential that it replaces, which the view does
    not know, if that one is of the same type. A mapping replaces it whole.

    Raises:
        InvalidCredential: it can't be encoded, is over a limit, or claims a type that opencode
            knows and has not its shape.

    """
    if isinstance(credential, Opaque):
        return _checked(provider, credential.raw)
    if isinstance(credential, _Known):
        if over is not None and isinstance(before := parse(over), type(credential)):
            credential = msgspec.structs.replace(
                credential, extra={**before.extra, **credential.extra}
            )
        return _checked(provider, _encoded(provider, lambda: credential.raw))
    return _checked(provider, _encode(provider, credential))


def encoded_members(provider: str, members: Mapping[str, object]) -> dict[str, bytes | None]:
    """Return members as JSON text, None for one that is to be removed.

    Raises:
        InvalidCredential: one can't be encoded.

    """
    return {
        name: None if value is None else bytes(text.members(_encode(provider, {name: value}))[name])  # type: ignore[index]
        for name, value in members.items()
    }


def updated(provider: str, raw: bytes, changes: Mapping[str, bytes | None]) -> bytes:
    """Return the credential `raw` with members changed; None removes one (RFC 7396).

    Raises:
        InvalidCredential: `raw` is not an object, or the outcome can't be filed (see `to_text`).

    """
    members = text.members(raw)
    if members is None:
        raise InvalidCredential(provider, "$: Expected `object`")
    after = {**members, **{name: Raw(value) for name, value in changes.items() if value}}
    kept = {name: value for name, value in after.items() if changes.get(name, b"") is not None}
    return _checked(provider, msgspec.json.encode(kept))


def _encode(provider: str, credential: Mapping[str, object]) -> bytes:
    if not is_mapping(credential):
        raise InvalidCredential(
            provider, f"$: Expected `object`, got `{type(credential).__name__}`"
        )
    _finite(provider, credential, "$", 0)
    return _encoded(provider, lambda: msgspec.json.encode(credential))


def _encoded(provider: str, encode: Callable[[], bytes]) -> bytes:
    try:
        return encode()
    except (TypeError, ValueError, OverflowError, RecursionError, text.Undecodable):
        # The encoder's own text may quote what it was given.
        raise InvalidCredential(provider, "$: can't be written as JSON") from None


def _finite(provider: str, value: object, where: str, depth: int) -> None:
    """Refuse what the encoder would change without a word: NaN and infinities become null."""
    if depth > text.DEPTH_LIMIT:
        raise InvalidCredential(provider, f"$: nested deeper than {text.DEPTH_LIMIT}")
    if is_mapping(value):
        for name, item in value.items():
            _finite(provider, item, f"{where}.{name}", depth + 1)
    elif is_sequence(value):
        for place, item in enumerate(value):
            _finite(provider, item, f"{where}[{place}]", depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidCredential(provider, f"{where}: Expected a finite number")


def is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    """Whether the value becomes a JSON object."""
    return isinstance(value, Mapping)


def is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    """Whether the value becomes a JSON array."""
    return isinstance(value, list | tuple)


def _checked(provider: str, raw: bytes) -> bytes:
    try:
        text.check(raw, text.CREDENTIAL_LIMIT)
        raw = text.compact(raw)
        members = text.members(raw)
        view = _VIEWS.get(_type_of(members) or "")
        if members is not None and view is not None:
            _hold_to_shape(members, view)
    except text.Undecodable as error:
        raise InvalidCredential(provider, str(error)) from None
    if raw == b"null":
        raise InvalidCredential(provider, "$: Expected `object`, got `null`")
    return raw


def _hold_to_shape(members: Mapping[str, Raw], view: type[_Known]) -> None:
    for name, decoder in _known_members(view).items():
        if name in members:
            try:
                text.decode(decoder, bytes(members[name]))
            except text.Undecodable as error:
                raise text.Undecodable(f"$.{name}: {error}") from None
        elif name not in _optional_members(view):
            raise text.Undecodable(f"$.{name}: missing from a credential of type {view.type}")


def visible_to_opencode(entries: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what opencode sees of auth.json's `entries`, provider -> JSON text.

    It rewrites away what it doesn't understand: entries of other types or shapes, and members that
    it doesn't know.

    Source: opencode 1.18.33, seen: a PUT of one provider rewrites all others so.
    """
    seen = {name: seen_by_opencode(raw) for name, raw in entries.items()}
    return {name: raw for name, raw in seen.items() if raw is not None}


@lru_cache(1024)
def seen_by_opencode(raw: bytes) -> bytes | None:
    """Return what opencode sees of one entry's JSON text, None if nothing."""
    view = parse(raw)
    return None if isinstance(view, Opaque) else msgspec.structs.replace(view, extra={}).raw


def with_unknown_members(raw: bytes, base: bytes | None) -> bytes:
    """Return what a program wrote, plus the members of `base` that opencode does not see in it.

    They are kept if both are of one type that opencode knows: it was that program which rewrote
    them away.
    """
    if base is None:
        return raw
    view, before = parse(raw), parse(base)
    if isinstance(view, Opaque) or isinstance(before, Opaque) or type(before) is not type(view):
        return raw
    return msgspec.structs.replace(view, extra={**before.extra, **view.extra}).raw


def provider_name(name: str) -> str:
    """Return the name to file a credential under: without trailing slashes, as opencode cuts them.

    Raises:
        InvalidCredential: it is empty, over 256 characters, `__proto__` (which JavaScript drops),
            or has control characters or lone surrogates in it.

    """
    name = name.rstrip("/")
    if wrong := _wrong_with(name):
        raise InvalidCredential(name if name.isprintable() else "", f"a provider's name {wrong}")
    return name


def can_be_filed(name: str) -> bool:
    """Whether a foreign file's member of this name can be filed as it stands."""
    return _wrong_with(name) is None


def _wrong_with(name: str) -> str | None:
    if not name:
        return "is empty"
    if len(name) > NAME_LIMIT:
        return f"is over {NAME_LIMIT} characters"
    if name == "__proto__":
        return "can't be __proto__"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        return "has control characters or lone surrogates"
    return None


def _type_of(members: Mapping[str, Raw] | None) -> str | None:
    raw = bytes(members["type"]) if members and "type" in members else b""
    return text.decode(_STRING, raw) if raw.startswith(b'"') else None


@cache
def _known_members(view: type[_Known]) -> dict[str, msgspec.json.Decoder[object]]:
    """Return a decoder for each member that the view knows; an optional one is absent, not null."""
    return {
        field.name: msgspec.json.Decoder(_without_none(field.type))
        for field in msgspec.structs.fields(view)
        if field.name != "extra"
    }


@cache
def _optional_members(view: type[_Known]) -> frozenset[str]:
    fields = msgspec.structs.fields(view)
    return frozenset(field.name for field in fields if not field.required)


def _without_none(hint: object) -> object:
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    return kinds[0] if isinstance(hint, UnionType) else hint


def _without_secrets(view: ApiKey | OAuth | WellKnown | Opaque | _Known) -> str:
    try:
        shown = ", ".join(f"{name}={what}" for name, what in _shown(view.raw))
    except text.Undecodable:  # a caller's own bytes; a repr must not fail
        shown = "<not JSON>"
    return f"{type(view).__name__}({shown})"


def _shown(raw: bytes) -> Iterator[tuple[str, object]]:
    members = text.members(raw)
    members = {"value": Raw(raw)} if members is None else members
    for name, member in members.items():
        written = bytes(member)
        if name == "expires" and written.isdigit():
            yield name, _Bare(written.decode())
        elif name != "type":
            digest = blake2b(written, digest_size=4, key=_KEY).hexdigest()
            yield name, _Bare(f"<{digest}>")


class _Bare(str):
    """A text whose repr is itself, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
