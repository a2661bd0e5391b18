"""What a record has from its request: when it came, and identities when it brings none."""

import os
from datetime import datetime
from uuid import UUID

import msgspec


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the request says about every record in it."""

    received_at: datetime
    correlation_id: str | None = None


def new_record_id(moment: datetime) -> UUID:
    """A UUIDv7 (RFC 9562, section 5.7): records made by this service sort by time."""
    milliseconds = int(moment.timestamp() * 1000)
    random = int.from_bytes(os.urandom(10))
    value = (milliseconds & (2**48 - 1)) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)
