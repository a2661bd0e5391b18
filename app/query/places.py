"""Cursors of pages that are ordered by a moment and texts, or by texts alone. Pure."""

import base64
from datetime import UTC, datetime

import msgspec

from app.query.cursors import InvalidCursor


def write_place(*parts: datetime | str) -> str:
    """The last row's part of the order, for `?after=`."""
    return base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode().rstrip("=")


def read_timed(cursor: str, *, texts: int) -> tuple[datetime, tuple[str, ...]]:
    """Raises `InvalidCursor`."""
    moment, *names = _read(cursor, 1 + texts)
    try:
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None:
            raise InvalidCursor
        return at.astimezone(UTC), tuple(names)
    except (ValueError, OverflowError) as error:
        raise InvalidCursor from error


def read_texts(cursor: str, *, texts: int) -> tuple[str, ...]:
    """Raises `InvalidCursor`."""
    return tuple(_read(cursor, texts))


def _read(cursor: str, length: int) -> list[str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=list[str])
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidCursor from error
    # PostgreSQL refuses a text that holds NUL.
    if len(parts) != length or any("\0" in part for part in parts):
        raise InvalidCursor
    return parts
