"""What a record has from its request: when it came, and identities when it brings none."""

import os
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec

from app.normalise.times import CLOCK_AHEAD, CLOCK_BEHIND

UNKNOWN: Final = datetime(1, 1, 1, tzinfo=UTC)


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the request says about every record in it."""

    received_at: datetime
    correlation_id: str | None = None
    behind: datetime = UNKNOWN
    """A time before this one is that of a clock far behind ours."""
    ahead: datetime = UNKNOWN

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "behind", self.received_at - CLOCK_BEHIND)
        msgspec.structs.force_setattr(self, "ahead", self.received_at + CLOCK_AHEAD)


def new_record_id(moment: datetime, index: int) -> UUID:
    """A UUIDv7 with a counter (RFC 9562, sections 5.7 and 6.2, method 1).

    The counter is the record's place in its request: records of one request that came without a
    time keep the order they were sent in.
    """
    milliseconds = int(moment.timestamp() * 1000) & (2**48 - 1)
    counter = index & (2**26 - 1)
    random = int.from_bytes(os.urandom(6))
    high, low = counter >> 14, counter & (2**14 - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0x2 << 62 | low << 48 | random)
