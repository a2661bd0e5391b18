"""Log records as rows: their cells, and where each leads. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from app.pages.wording import machine
from app.query.columns import ATTRIBUTE, FIELDS
from app.query.log_views import LogView
from app.query.signature_links import SignatureLink
from app.query.views import RecordView

LONGEST: Final = 2_000
"""Characters of a message that a row shows; all of it stands in the opened record."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    record: LogView
    cells: tuple[str, ...]
    """Of the columns, in their order."""
    message: str
    error: str
    """What its exception says; empty when it has none, or the message says it."""
    link: SignatureLink | None
    address: str
    """Of the record by itself."""
    chain: str
    """Of the record within its chain."""


def rows_of(
    records: Iterable[LogView], columns: tuple[str, ...], links: Mapping[str, SignatureLink]
) -> list[Row]:
    return [
        Row(
            record=record,
            cells=tuple(cell_of(record, column) for column in columns),
            message=record.message[:LONGEST],
            error=error_of(record),
            link=links.get(record.signature_id or ""),
            address=record_address(record.correlation_id, record),
            chain=chain_address(record),
        )
        for record in records
    ]


def error_of(record: LogView) -> str:
    """`Type: message`, of the exception beside the message."""
    exception = record.exception
    if exception is None or not exception.type:
        return ""
    told = f"{exception.type}: {exception.message}" if exception.message else exception.type
    return "" if told in record.message else told[:LONGEST]


def record_address(correlation_id: str, record: RecordView) -> str:
    named = {
        "correlation_id": correlation_id,
        "occurred_at": machine(record.occurred_at),
        "record_id": str(record.record_id),
    }
    return f"/logs/record?{urlencode(named)}"


def chain_address(record: LogView) -> str:
    """The chain of a record, opened at it."""
    name = str(record.record_id)
    named = urlencode({"record": name, "at": machine(record.occurred_at)})
    return f"/chains/{quote(record.correlation_id, safe='')}?{named}#r-{name}"


def cell_of(record: LogView, column: str) -> str:
    """The text of a cell; empty when the record has no such thing."""
    if column == "level":
        return str(record.level.value)
    if column.startswith(ATTRIBUTE):
        return said(attribute_of(record.attributes, column[len(ATTRIBUTE) :]))[:LONGEST]
    value = getattr(record, FIELDS[column])
    return "" if value is None else str(value)


def attribute_of(attributes: Mapping[str, Any], name: str) -> Any:
    """`a.b` is the key `a.b`, or `b` within `a`, as in a search."""
    if name in attributes:
        return attributes[name]
    first, dot, rest = name.partition(".")
    inner = attributes.get(first) if dot else None
    return attribute_of(inner, rest) if isinstance(inner, dict) else None


def said(value: Any) -> str:
    """A value as a search writes it: text as it is, everything else as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
