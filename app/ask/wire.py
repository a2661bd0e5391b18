"""What a reader takes of the service's answers."""

from datetime import datetime

import msgspec


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What a terminal shows of a record."""

    occurred_at: datetime
    level: str
    service: str
    message: str
    correlation_id: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    records: tuple[msgspec.Raw, ...]
    """Newest first, as the service wrote them."""
    next: str | None
    stopped_at: datetime | None
