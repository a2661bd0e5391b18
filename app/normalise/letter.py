"""A record that follows the contract to the letter -> `LogRecord`, with nothing to repair."""

import re
from datetime import UTC, datetime
from typing import Final

from msgspec import UNSET

from app.normalise.context import Context, new_record_id
from app.normalise.levels import parse_level
from app.normalise.record import LogRecord, ReportedException, Severity
from app.normalise.text import MAX_DEPTH
from app.normalise.times import clock_annotation, parse_time
from app.receive.correlation import is_safe
from app.receive.wire import WireException, WireRecord

MAX_ATTRIBUTE_BYTES: Final = 256 * 1024
# A number, not a text that holds one: after a colon, a bracket or a comma.
_HUGE_NUMBER: Final = re.compile(rb"[:\[,]\s*+-?(?:[0-9.]++[eE][+-]?[0-9]{3}|[0-9]{300})").search


def read_wire(wire: WireRecord, index: int, context: Context) -> LogRecord | None:
    """The record, or None when something in it needs repair after all."""
    unnamed = Severity.ERROR if wire.exception else Severity.INFO
    level = unnamed if wire.level is UNSET else parse_level(wire.level)
    attributes = bytes(wire.attributes)
    if level is None or not _is_storable(attributes):
        return None
    annotations: tuple[str, ...] = ()
    timed = wire.timestamp is not UNSET
    occurred_at = _usual_time(wire.timestamp, context) if timed else context.received_at
    if occurred_at is None:
        parsed = parse_time(wire.timestamp)
        if parsed is None or parsed[1]:
            return None
        occurred_at = parsed[0]
        far = clock_annotation(occurred_at, received_at=context.received_at)
        annotations = (far,) if far else ()
    identified = wire.record_id is not UNSET
    record_id = wire.record_id or new_record_id(context.received_at, index)
    if wire.correlation_id is UNSET:
        correlation_id = context.correlation_id or str(record_id)
    elif is_safe(wire.correlation_id):
        correlation_id = wire.correlation_id
    else:
        return None
    return LogRecord(
        service=wire.service,
        message=wire.message,
        level=level,
        occurred_at=occurred_at,
        received_at=context.received_at,
        record_id=record_id,
        correlation_id=correlation_id,
        environment=wire.environment or None,
        release=wire.release or None,
        instance=wire.instance or None,
        span_id=wire.span_id or None,
        parent_span_id=wire.parent_span_id or None,
        sequence=None if wire.sequence is UNSET else wire.sequence,
        exception=_exception(wire.exception) if wire.exception else None,
        attributes=attributes.decode(),
        annotations=annotations,
        resent_by_identity=identified and not timed,
    )


def _is_storable(attributes: bytes) -> bool:
    """Whether jsonb takes it as it is, as far as a look can tell; the slow way repairs the rest."""
    return (
        attributes[:1] == b"{"
        and len(attributes) <= MAX_ATTRIBUTE_BYTES
        and attributes.count(b"{") + attributes.count(b"[") <= MAX_DEPTH
        and not _HUGE_NUMBER(attributes)
    )


def _usual_time(timestamp: object, context: Context) -> datetime | None:
    """RFC 3339 in UTC and near our clock, as nearly all come; None for `parse_time` to read."""
    if isinstance(timestamp, str):
        try:
            moment = datetime.fromisoformat(timestamp)
        except ValueError:
            return None
        if moment.tzinfo is UTC and context.behind <= moment <= context.ahead:
            return moment
    return None


def _exception(wire: WireException) -> ReportedException | None:
    if not (wire.type or wire.message or wire.stacktrace):
        return None
    return ReportedException(type=wire.type, message=wire.message, stacktrace=wire.stacktrace)
