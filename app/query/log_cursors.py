"""Where a search goes on. Pure.

A cursor holds the times that the first page resolved, so that `-15m` means the same on each page,
and a checksum over them and the search: what was altered, or belongs to another search, is refused.
"""

import base64
import hashlib
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from app.query.cursors import InvalidCursor
from app.query.slices import Span
from app.receive.correlation import safe_token

_CHECKSUM_BYTES: Final = 12
_INSTANT: Final = timedelta(microseconds=1)

Place = tuple[datetime, UUID, str]
"""Of a record: when it occurred, its ID, its correlation ID. No two have the same."""


class Cursor(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    since: datetime
    until: datetime
    moment: datetime
    """What is left lies before it, or at it and below the record."""
    record_id: UUID | None = None
    correlation_id: str | None = None

    @property
    def place(self) -> Place | None:
        if self.record_id is None or self.correlation_id is None:
            return None
        return self.moment, self.record_id, self.correlation_id

    @property
    def rest(self) -> Span:
        """What is left to search."""
        until = self.moment + _INSTANT if self.place else self.moment
        return Span(since=self.since, until=until)


def write_log_cursor(cursor: Cursor, search: str) -> str:
    """`search` is the text of the search as the service writes it."""
    content = msgspec.msgpack.encode(cursor)
    return base64.urlsafe_b64encode(content + _checksum(content, search)).decode()


def read_log_cursor(text: str, search: str) -> Cursor:
    """Raises `InvalidCursor`."""
    try:
        both = base64.b64decode(text, altchars=b"-_", validate=True)
        content, checksum = both[:-_CHECKSUM_BYTES], both[-_CHECKSUM_BYTES:]
        if checksum != _checksum(content, search):
            raise InvalidCursor
        cursor = msgspec.msgpack.decode(content, type=Cursor)
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidCursor from error
    named = cursor.correlation_id is None or safe_token(cursor.correlation_id)
    if not (named and cursor.since <= cursor.moment <= cursor.until):
        raise InvalidCursor
    return cursor


def _checksum(content: bytes, search: str) -> bytes:
    return hashlib.blake2b(
        content + b"\0" + search.encode(), digest_size=_CHECKSUM_BYTES, person=b"logcursor"
    ).digest()
