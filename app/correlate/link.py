"""What correlation needs of a record."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.normalise.record import Severity


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a chain."""

    record_id: UUID
    occurred_at: datetime
    received_at: datetime
    service: str
    environment: str | None = None
    release: str | None = None
    instance: str | None = None
    sequence: int | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    signature_id: str | None = None
    level: Severity = Severity.INFO
    message: str = ""
    """At most its first 2,000 characters."""
    exception_type: str = ""
    exception_message: str = ""
    attributes: Mapping[str, Any] = {}

    @property
    def seen_at(self) -> datetime:
        """When it occurred, or when it was received if the sender's clock runs ahead of ours.

        Lists sort by this: a clock in the year 2099 must not stand first until then.
        """
        return min(self.occurred_at, self.received_at)

    @property
    def is_error(self) -> bool:
        return self.signature_id is not None
