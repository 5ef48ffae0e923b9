"""What is filed after a seq, and how an event changes it. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from authlog._engine.codec import Draft, Line
from authlog.events import Change, Span


class Filed(Struct, frozen=True):
    """A credential as it is filed: compact JSON text, and the seq of its last change.

    `refresh` is the fingerprint of an OAuth login's refresh token.
    """

    raw: bytes
    seq: int
    account: bool = False
    refresh: str | None = None


class State(Struct, frozen=True):
    """The credentials by the name they are filed under, and which account stands for a provider.

    With `use` {"anthropic": "work"}, auth.json's `anthropic` is what is filed as `anthropic@work`.
    """

    filed: Mapping[str, Filed]
    use: Mapping[str, str]

    def name(self, provider: str) -> str:
        """Return the name under which `provider` is filed now."""
        account = self.use.get(provider)
        return provider if account is None else f"{provider}@{account}"

    def shown(self) -> dict[str, bytes]:
        """Return what auth.json shows: provider -> JSON text, without the accounts' own names."""
        shown = {
            name: filed.raw
            for name, filed in self.filed.items()
            if not filed.account and name not in self.use
        }
        for provider in self.use:
            if filed := self.filed.get(self.name(provider)):
                shown[provider] = filed.raw
        return shown

    def is_account(self, name: str) -> bool:
        """Whether what authlog files under `name` is an account (`anthropic@work`)."""
        if name in self.filed:
            return self.filed[name].account
        provider, at, account = name.partition("@")
        return bool(provider and at and account)


EMPTY = State({}, {})


def apply(state: State | None, line: Line) -> State | None:
    """Return the state after an event; None if it is unknown: secrets erased since a checkpoint."""
    public, value = line.public, line.value
    if value is None:
        return None
    if public.kind in ("init", "checkpoint"):
        state = EMPTY
    if state is None:
        return None
    filed = dict(state.filed)
    for name, raw in value.items():
        change = public.providers[name]
        if raw is None or change is None:
            filed.pop(name, None)
        else:
            seq = public.seq if change.seq is None else change.seq
            filed[name] = Filed(raw, seq, change.account, _refresh(change))
    return State(filed, _used(state.use, public.use))


def spends(state: State | None, line: Line) -> bool:
    """Whether the event replaces an OAuth refresh token: the old one must not be used again."""
    if state is None or line.public.kind in ("init", "checkpoint"):
        return True  # unknown
    for name, change in line.public.providers.items():
        before = state.filed.get(name)
        if before and before.refresh and change and _refresh(change) != before.refresh:
            return True
    return False


def _refresh(change: Change) -> str | None:
    return change.members.get("refresh") if change.type == "oauth" else None


def _used(before: Mapping[str, str], use: Mapping[str, str | None] | None) -> Mapping[str, str]:
    if use is None:
        return before
    after = {**before, **use}
    return {provider: account for provider, account in after.items() if account is not None}


def checkpoint(state: State, id: str, erased: int = 0, dropped: Span | None = None) -> Draft:
    """Return the checkpoint of a state of the log with that id.

    `erased` is the highest segment whose secrets are erased, `dropped` the events that are gone:
    each checkpoint says it anew, so that the newest one is enough.
    """
    return Draft(
        kind="checkpoint",
        id=id,
        use=dict(state.use) or None,
        value={name: filed.raw for name, filed in state.filed.items()},
        accounts=frozenset(name for name, filed in state.filed.items() if filed.account),
        seqs={name: filed.seq for name, filed in state.filed.items()},
        erased=erased or None,
        dropped=dropped,
    )
