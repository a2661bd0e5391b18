"""Where a record stands, as a request names it. Pure."""

from datetime import UTC, datetime
from uuid import UUID

from app.query.log_cursors import Place
from app.query.surroundings import UnknownRecord
from app.receive.correlation import safe_token


def place_of(correlation_id: str, occurred_at: datetime, record_id: UUID) -> Place:
    """Raises `UnknownRecord`: what no record can have is the place of none."""
    if safe_token(correlation_id) is None or occurred_at.tzinfo is None:
        raise UnknownRecord
    try:
        return occurred_at.astimezone(UTC), record_id, correlation_id
    except OverflowError as error:
        raise UnknownRecord from error
