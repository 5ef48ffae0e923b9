"""The logins that are written: OAuth, as long as one with a real access token."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

SIZE = 1200  # bytes of a login's JSON; access tokens that are JWTs are about that long
EXPIRES = 1_790_000_000_000  # ms since 1970


class Login(Struct, frozen=True, tag_field="type", tag="oauth"):
    """An OAuth login whose access token tells which write it is from."""

    refresh: str
    access: str
    expires: int = EXPIRES

    @property
    def id(self) -> str:
        """The write it is from, as it was given to `login`."""
        return id_of(self.access)


def login(id: str, refresh: str) -> Login:
    """Return a login of SIZE bytes with an access token for the write `id`."""
    bare = Login(refresh.ljust(64, "r"), id + ".")
    missing = SIZE - len(msgspec.json.encode(bare))
    return msgspec.structs.replace(bare, access=bare.access.ljust(len(bare.access) + missing, "a"))


def id_of(access: str) -> str:
    """Return the write that an access token is from."""
    return access.partition(".")[0]


def provider(number: int) -> str:
    """Return a provider's name."""
    return f"provider{number:02}"


def first_logins(providers: int) -> Mapping[str, Login]:
    """Return what a store holds before anything is measured."""
    names = [provider(number) for number in range(providers)]
    return {name: login(f"{name}-first", name) for name in names}
