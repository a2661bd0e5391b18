"""What the receive room promises to senders, and what it needs from the rooms behind it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from app.errors import AppError


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it arrives: what its head says, and its body still to come."""

    receive: Callable[[], Awaitable[Any]]
    """The server's, as ASGI 3 has it."""
    received_at: datetime
    length: int | None = None
    """Of the body as sent; None when it comes in chunks."""
    content_type: str = ""
    encoding: str = ""
    correlation_id: str | None = None
    relaxed: bool = False
    """Answer before the disk has it: a crash of the database may lose the last moments."""
    shed: str = ""
    """`debug`, `info` or `warning`: up to this level records may be dropped under load."""


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was refused: its place in the request, why, and what to change."""

    index: int
    reason: str
    detail: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to a sender: what it counts as accepted is on disk."""

    accepted: int
    rejected: tuple[Rejection, ...]
    unlisted: int = 0
    """How many more were rejected than are listed."""
    shed: int = 0
    """How many were dropped, as the sender allowed."""


class PartlyAccepted(AppError):
    """The body broke off after some of its records had been stored."""

    def __init__(self, accepted: int, cause: AppError) -> None:
        super().__init__(
            f"{str(cause).rstrip('.')}; {accepted:,} records before that were accepted"
        )
        self.accepted = accepted
        self.cause = cause


@runtime_checkable  # Litestar checks what it injects
class Accept(Protocol):
    """Stores the records of a delivery and says what became of each; returns after the commit."""

    async def __call__(self, delivery: Delivery) -> Receipt: ...


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether records can be taken now."""

    status: Literal["ok", "spooling", "unavailable"]
    """`spooling`: records are taken and kept on this machine until the database is back."""
    database: Literal["ok", "unreachable", "not migrated"]
    spool: Literal["off", "empty", "filled", "full", "broken"]
    spooled_records: int
    """Accepted, and waiting on this machine for the database."""
    set_aside_records: int
    """Accepted and kept in the spool: the database refused them, or they cannot be read."""
    digest: Literal["ok", "waiting", "stalled"]
    """`waiting` for the database; `stalled`: records are stored, but incidents are late."""
    chains_waiting: int | None
    """Marks the digest has yet to work off, counted up to 100,000; null without a database."""
    known_issues: int
    """Entries that errors are held against now; 0 for a moment after the very first start."""


@runtime_checkable
class CheckHealth(Protocol):
    async def __call__(self) -> Health: ...
