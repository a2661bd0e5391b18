"""What the receive room promises to senders, and what it needs from the rooms behind it."""

from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

import msgspec

from app.receive.body import Body


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was refused: its place in the request, why, and what to change."""

    index: int
    reason: str
    detail: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a sender: what it counts as accepted is committed."""

    accepted: int
    rejected: tuple[Rejection, ...] = ()


@runtime_checkable  # Litestar checks what it injects
class Accept(Protocol):
    """Stores raw records and says what became of each; returns after the commit."""

    async def __call__(
        self, body: Body, *, received_at: datetime, correlation_id: str | None
    ) -> Receipt: ...


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether records can be taken now."""

    status: Literal["ok", "unavailable"]
    database: Literal["ok", "unreachable", "not migrated"]
    spool: Literal["none"]
    """There is no spool: without the database records are refused with 503."""
    digest: Literal["ok", "waiting", "stalled"]
    """`waiting` for the database; `stalled`: records are stored, but incidents are late."""
    chains_waiting: int | None
    """Marks the digest has yet to work off, counted up to 100,000; null without a database."""
    known_issues: int
    """Entries that errors are held against now; 0 for a moment after the very first start."""


@runtime_checkable
class CheckHealth(Protocol):
    async def __call__(self) -> Health: ...
