"""Cursors of pages: a moment and an ID, newest first. Pure."""

import base64
from datetime import UTC, datetime
from uuid import UUID

from app.errors import AppError

Place = tuple[datetime, UUID]


class InvalidCursor(AppError):
    """The cursor in `after` is none that this service gave out; leave it out to start anew."""


def write_cursor(moment: datetime, name: UUID) -> str:
    return base64.urlsafe_b64encode(f"{moment.isoformat()} {name}".encode()).decode()


def read_cursor(cursor: str) -> Place:
    """Raises `InvalidCursor`."""
    try:
        text, _, name = base64.urlsafe_b64decode(cursor).decode().partition(" ")
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise InvalidCursor
        return moment.astimezone(UTC), UUID(name)
    except (ValueError, OverflowError) as error:
        raise InvalidCursor from error
