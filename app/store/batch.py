"""Records and their signatures -> the columns that PostgreSQL takes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from app.normalise.record import LogRecord
from app.normalise.text import cut_bytes, json_text
from app.signatures import Signature, sign_text

MAX_SAMPLE_BYTES: Final = 32 * 1024
MAX_ATTRIBUTE: Final = 1024
LAST_NUMBER: Final = 2**63 - 1


def _small(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if len(str(value)) <= MAX_ATTRIBUTE}


class SignedRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record and, when it is an error, its signature; `index` is its place in the request."""

    index: int
    record: LogRecord
    signature: Signature | None = None


def key_of(one: SignedRecord) -> tuple[str, datetime, UUID]:
    """The primary key of its row."""
    record = one.record
    return record.correlation_id, record.occurred_at, record.record_id


def signed(index: int, record: LogRecord) -> SignedRecord:
    """The record with its signature, when it is an error."""
    signature = None
    if record.level.is_error:
        fingerprint = record.fingerprint or None
        signature = sign_text(record.message, record.exception, fingerprint=fingerprint)
    return SignedRecord(index=index, record=record, signature=signature)


def record_row(one: SignedRecord) -> tuple[Any, ...]:
    """The values of `queries.PLAIN_COLUMNS`, in that order."""
    record = one.record
    return (
        record.correlation_id,
        record.occurred_at,
        record.record_id,
        record.received_at,
        record.service,
        record.level.value,
        record.message,
        record.environment,
        record.release,
        record.instance,
        record.span_id,
        record.parent_span_id,
        record.sequence,
        one.signature.signature_id if one.signature else None,
        json_text(record.exception) if record.exception else None,
        record.attributes,
    )


def annotated_row(one: SignedRecord) -> tuple[Any, ...]:
    """The values of `queries.RECORD_COLUMNS`, in that order."""
    return (*record_row(one), list(one.record.annotations))


def by_signature(batch: Iterable[SignedRecord]) -> dict[str, list[SignedRecord]]:
    """The errors of a batch, signature by signature."""
    groups: dict[str, list[SignedRecord]] = {}
    for one in batch:
        if one.signature:
            groups.setdefault(one.signature.signature_id, []).append(one)
    return groups


def count_columns(groups: dict[str, list[SignedRecord]]) -> tuple[list[Any], ...]:
    """The parameters of `queries.COUNT_SIGNATURES`: one row a signature."""
    return _columns([(name, *_counted(group)) for name, group in groups.items()])


def signature_columns(groups: dict[str, list[SignedRecord]]) -> tuple[list[Any], ...]:
    """The parameters of `queries.UPSERT_SIGNATURES`: one row a signature."""
    return _columns([_signature_row(group) for group in groups.values()])


def sequence_columns(batch: Iterable[SignedRecord]) -> tuple[list[Any], ...]:
    """The parameters of `queries.MARK_SEQUENCES`: one row a numbering sender; empty without any."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for one in batch:
        record = one.record
        # The end of a range is one more, and must still be a bigint.
        if record.instance and record.sequence is not None and record.sequence < LAST_NUMBER:
            numbers.setdefault((record.service, record.instance), []).append(record.sequence)
    return _columns([(*sender, _ranges(own)) for sender, own in numbers.items()])


def _ranges(numbers: list[int]) -> str:
    """As PostgreSQL writes a multirange: `{[1,3],[7,7]}`."""
    numbers.sort()
    ranges = [[numbers[0], numbers[0]]]
    for number in numbers:
        if number > ranges[-1][1] + 1:
            ranges.append([number, number])
        ranges[-1][1] = number
    return "{" + ",".join(f"[{first},{last}]" for first, last in ranges) + "}"


def _columns(rows: list[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    return tuple(map(list, zip(*rows, strict=True)))


def _counted(group: list[SignedRecord]) -> tuple[Any, ...]:
    times = [one.record.occurred_at for one in group]
    return min(times), max(times), len(group)


def _signature_row(group: list[SignedRecord]) -> tuple[Any, ...]:
    signature = group[0].signature
    assert signature is not None  # noqa: S101 - the caller groups by it
    return (
        signature.signature_id,
        signature.version,
        signature.type,
        signature.title,
        signature.message,
        signature.culprit,
        signature.callee,
        signature.caller,
        json_text(signature.explanation),
        json_text(_sample(group[0].record)),
        *_counted(group),
    )


def _sample(record: LogRecord) -> dict[str, Any]:
    """What the catalogue is held against later, bounded."""
    exception = record.exception
    if exception and isinstance(exception.stacktrace, str):
        exception = msgspec.structs.replace(
            exception, stacktrace=cut_bytes(exception.stacktrace, MAX_SAMPLE_BYTES)
        )
    return {
        "message": cut_bytes(record.message, MAX_SAMPLE_BYTES),
        "exception": exception,
        "service": record.service,
        "level": record.level.value,
        "release": record.release,
        "attributes": _small(msgspec.json.decode(record.attributes)),
    }
