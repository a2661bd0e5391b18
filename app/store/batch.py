"""Records and their signatures -> the columns that PostgreSQL takes."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from app.normalise.record import LogRecord
from app.normalise.text import cut_bytes, json_text
from app.signatures import Signature, sign_text

MAX_SAMPLE_BYTES: Final = 32 * 1024
MAX_ATTRIBUTE: Final = 1024


def _small(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if len(str(value)) <= MAX_ATTRIBUTE}


class SignedRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record and, when it is an error, its signature; `index` is its place in the request."""

    index: int
    record: LogRecord
    signature: Signature | None = None

    @property
    def key(self) -> tuple[str, Any, Any]:
        record = self.record
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


def signature_columns(batch: Iterable[SignedRecord]) -> tuple[list[Any], ...]:
    """The parameters of `queries.UPSERT_SIGNATURES`: one row a signature, counted."""
    groups: dict[str, list[SignedRecord]] = {}
    for signed in batch:
        if signed.signature:
            groups.setdefault(signed.signature.signature_id, []).append(signed)
    rows = [_signature_row(group) for group in groups.values()]
    return tuple(map(list, zip(*rows, strict=True)))


def _signature_row(group: list[SignedRecord]) -> tuple[Any, ...]:
    signature = group[0].signature
    assert signature is not None  # noqa: S101 - the caller groups by it
    times = [signed.record.occurred_at for signed in group]
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
        min(times),
        max(times),
        len(group),
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
