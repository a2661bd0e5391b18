"""Records for tests of chains."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.correlate.chain import Link

START = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
G = {"span_id": "g"}
P = {"span_id": "p", "parent_span_id": "g"}
I = {"span_id": "i", "parent_span_id": "p"}  # noqa: E741
S = {"span_id": "s", "parent_span_id": "p"}


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


def incident() -> list[Link]:
    return [
        record(1, "gateway", "request received", **G),
        record(2, "payment", "request received", **P),
        record(3, "inventory", "request received", **I),
        record(4, "inventory", "failed", exception_type="KeyError", exception_message="'sku'", **I),
        record(5, "inventory", "request answered 500", **I),
        error(6, "payment", "500 from inventory", **P),
        record(7, "payment", "request answered 502", **P),
        error(8, "gateway", "502 from payment", **G),
        record(9, "gateway", "request answered 502", **G),
    ]


def without(links: list[Link], *numbers: int) -> list[Link]:
    return [link for link in links if link.record_id.int not in numbers]
