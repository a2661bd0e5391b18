"""The chains a canary writes, each known in full before it is sent. Pure."""

import gzip
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
import zstandard

SERVICES: Final = ("canary-a", "canary-b", "canary-c")
FORMS: Final = ("single", "array", "ndjson", "gzip", "zstd")
_JSON: Final = {"content-type": "application/json"}
_NDJSON: Final = {"content-type": "application/x-ndjson"}


class KnownRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One log record as the canary sends it, and as it must be read back."""

    correlation_id: str
    record_id: UUID
    service: str
    level: str
    message: str
    instance: str
    sequence: int
    attributes: dict[str, Any]
    timestamp: datetime | None = None
    """None: left to the service, which knows such a record again by its ID alone."""


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """The records of one request, and its body and headers."""

    records: tuple[KnownRecord, ...]
    content: bytes
    headers: dict[str, str]


class KnownChain(msgspec.Struct, frozen=True, kw_only=True):
    """All that is sent under one correlation ID."""

    correlation_id: str
    parcels: tuple[Parcel, ...]
    resend: bool
    """Whether each parcel is sent a second time; its records must be stored once all the same."""

    @property
    def records(self) -> tuple[KnownRecord, ...]:
        return tuple(record for parcel in self.parcels for record in parcel.records)


def known_chain(run: str, number: int, *, at: datetime) -> KnownChain:
    """Chain `number` of a run: INFO only, so that it opens no incident.

    Numbers take turns with forms (every fifth), resending (every third) and leaving the time to
    the service (every fourth): sixty in a row hold every combination.
    """
    correlation_id = f"canary-{run}-{number}"
    timed = number % 4 != 3  # noqa: PLR2004 - as the docstring says
    records = tuple(
        _record(correlation_id, number, place, at=at if timed else None)
        for place in range(2 + number % 4)
    )
    return KnownChain(
        correlation_id=correlation_id,
        parcels=_parcels(records, FORMS[number % len(FORMS)]),
        resend=number % 3 == 0,
    )


def _record(correlation_id: str, number: int, place: int, *, at: datetime | None) -> KnownRecord:
    return KnownRecord(
        correlation_id=correlation_id,
        record_id=uuid5(NAMESPACE_URL, f"{correlation_id}/{place}"),
        service=SERVICES[place % len(SERVICES)],
        level="INFO",
        message=f'canary {number}: record {place}, "quoted", naïve \\ 字 🐤',
        # Numbered within service and instance: a whole chain shows no gap.
        instance=correlation_id,
        sequence=place // len(SERVICES) + 1,
        attributes={"chain": number, "deep": {"list": [1, 2.5, None, True, "字"]}},
        timestamp=at + timedelta(milliseconds=place) if at else None,
    )


def _parcels(records: tuple[KnownRecord, ...], form: str) -> tuple[Parcel, ...]:
    if form == "single":
        return tuple(_parcel((record,), msgspec.json.encode(record), _JSON) for record in records)
    if form == "array":
        return (_parcel(records, msgspec.json.encode(records), _JSON),)
    lines = b"\n".join(map(msgspec.json.encode, records))
    if form == "gzip":
        return (_parcel(records, gzip.compress(lines), {**_NDJSON, "content-encoding": "gzip"}),)
    if form == "zstd":
        packed = zstandard.ZstdCompressor().compress(lines)
        return (_parcel(records, packed, {**_NDJSON, "content-encoding": "zstd"}),)
    return (_parcel(records, lines, _NDJSON),)


def _parcel(records: tuple[KnownRecord, ...], content: bytes, headers: dict[str, str]) -> Parcel:
    return Parcel(records=records, content=content, headers=headers)
