"""Records for tests of chains."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.correlate.chain import Link

START = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def record(number: int, service: str, message: str = "", **fields: Any) -> Link:
    """One record; an error when it has a `signature_id` or an `exception_type`."""
    at = fields.pop("at", number)
    if fields.get("exception_type"):
        fields.setdefault("signature_id", f"{service}:{fields['exception_type']}")
    return Link(
        record_id=UUID(int=number),
        occurred_at=START + timedelta(seconds=at),
        received_at=START,
        service=service,
        message=message,
        **fields,
    )


def error(number: int, service: str, message: str, **fields: Any) -> Link:
    """An error whose signature is its service and its first words."""
    signature = f"{service}:{' '.join(message.split()[:2])}"
    return record(number, service, message, signature_id=signature, **fields)
