"""What a chain says of incidents, and what that adds to them. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from app.correlate.model import Chain, Confidence, Root
from app.incidents.findings import Found

_SETS: Final = ("services", "root_services", "environments", "releases")


class ChainRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `incident_chains` without its incident: one root of one chain."""

    correlation_id: str
    root_signature_id: str
    root_record_id: UUID
    root_service: str
    root_at: datetime
    symptoms: tuple[str, ...]
    services: tuple[str, ...]
    records: int
    errors: int
    errors_by_service: dict[str, int]
    confidence: Confidence
    reasons: tuple[str, ...]
    findings: tuple[str, ...]
    environments: tuple[str, ...]
    releases: tuple[str, ...]
    root_release: str | None
    """Not stored: which release of the root's service failed."""
    incomplete: bool
    first_at: datetime
    last_at: datetime


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What a row adds to the counts and sets of its incident."""

    incident_id: UUID
    root_at: datetime
    root_service: str
    services: tuple[str, ...]
    environments: tuple[str, ...]
    releases: tuple[str, ...]
    records: int
    incomplete: bool
    errors_by_service: dict[str, int]
    findings: tuple[str, ...]


class Delta(msgspec.Struct, kw_only=True):
    """What a round changes in the counts of one incident."""

    chains: int = 0
    records: int = 0
    incomplete: int = 0
    hours: Counter[tuple[datetime, str, str]] = msgspec.field(default_factory=Counter)
    """By hour, service, and what is counted: `chains` or `errors`."""
    findings: Counter[str] = msgspec.field(default_factory=Counter)


def rows_of(correlation_id: str, chain: Chain, found: Sequence[Found]) -> list[ChainRow]:
    """One row for each root signature; a chain without errors has what its chain rules say."""
    common = {
        "correlation_id": correlation_id,
        "services": chain.services,
        "records": len(chain.links),
        "findings": tuple(
            one.known_issue_id for one in found if one.explains_errors or not chain.roots
        ),
        "environments": _distinct(link.environment for link in chain.links),
        "releases": _distinct(link.release for link in chain.links),
        "incomplete": chain.evidence_incomplete,
        "first_at": min(link.occurred_at for link in chain.links),
        "last_at": max(link.occurred_at for link in chain.links),
    }
    if not chain.roots:
        return [_finding_row(one, common) for one in found]
    rows: dict[str, ChainRow] = {}
    for row in (_root_row(root, chain, common) for root in chain.roots):
        first = rows.get(row.root_signature_id)
        rows[row.root_signature_id] = _together(first, row) if first else row
    return list(rows.values())


def _together(first: ChainRow, further: ChainRow) -> ChainRow:
    """The first of several roots with one signature stands for them; what failed is all counted."""
    errors = Counter(first.errors_by_service)
    errors.update(further.errors_by_service)
    return msgspec.structs.replace(
        first,
        symptoms=_distinct((*first.symptoms, *further.symptoms)),
        errors=first.errors + further.errors,
        errors_by_service=dict(errors),
    )


def _root_row(root: Root, chain: Chain, common: dict[str, Any]) -> ChainRow:
    name = root.link.signature_id or ""
    own = {symptom.link.signature_id for symptom in root.symptoms}
    failed = [root.link, *(symptom.link for symptom in root.symptoms)]
    if len(chain.roots) == 1:
        failed = [link for link in chain.links if link.is_error]
    return ChainRow(
        **common,
        root_signature_id=name,
        root_record_id=root.link.record_id,
        root_service=root.service,
        root_at=root.link.seen_at,
        root_release=root.link.release,
        symptoms=tuple(sorted(one for one in own if one and one != name)),
        errors=len(failed),
        errors_by_service=dict(Counter(link.service for link in failed)),
        confidence=root.confidence,
        reasons=root.reasons,
    )


def _finding_row(found: Found, common: dict[str, Any]) -> ChainRow:
    return ChainRow(
        **common,
        root_signature_id=found.signature_id,
        root_record_id=found.link.record_id,
        root_service=found.link.service,
        root_at=found.link.seen_at,
        root_release=found.link.release,
        symptoms=(),
        errors=0,
        errors_by_service={found.link.service: 0},
        confidence=Confidence.LIKELY if common["incomplete"] else Confidence.CERTAIN,
        reasons=(f"the chain rule of {found.known_issue_id} holds: {found.evidence[0].quote}",),
    )


def continued(row: ChainRow, before: Any) -> ChainRow:
    """A row whose earlier records are gone: what they told is kept, what is left is added."""
    errors = Counter(before.errors_by_service)
    errors.update(row.errors_by_service)
    return msgspec.structs.replace(
        row,
        records=row.records + before.records,
        errors=row.errors + before.errors,
        errors_by_service=dict(errors),
        first_at=before.first_at,
    )


def deltas(gone: Iterable[Counted], come: Iterable[Counted]) -> dict[UUID, Delta]:
    """What changes for each incident when these rows leave it and those join it."""
    changes: dict[UUID, Delta] = {}
    for sign, rows in ((-1, gone), (1, come)):
        for row in rows:
            _add(changes.setdefault(row.incident_id, Delta()), row, sign)
    return changes


def _add(delta: Delta, row: Counted, sign: int) -> None:
    delta.chains += sign
    delta.records += sign * row.records
    delta.incomplete += sign * row.incomplete
    hour = row.root_at.replace(minute=0, second=0, microsecond=0)
    for service, errors in row.errors_by_service.items():
        delta.hours[hour, service, "chains"] += sign
        delta.hours[hour, service, "errors"] += sign * errors
    for name in row.findings:
        delta.findings[name] += sign


def counted(row: ChainRow, incident_id: UUID) -> Counted:
    return Counted(
        incident_id=incident_id,
        root_at=row.root_at,
        root_service=row.root_service,
        services=row.services,
        environments=row.environments,
        releases=row.releases,
        records=row.records,
        incomplete=row.incomplete,
        errors_by_service=row.errors_by_service,
        findings=row.findings,
    )


def unions(rows: Sequence[ChainRow]) -> dict[str, Any]:
    """What these rows add to the sets and times of their incident."""
    return {
        "services": _distinct(name for row in rows for name in row.services),
        "root_services": _distinct(row.root_service for row in rows),
        "environments": _distinct(name for row in rows for name in row.environments),
        "releases": _distinct(name for row in rows for name in row.releases),
        "first_seen": min(row.root_at for row in rows),
        "last_seen": max(row.root_at for row in rows),
    }


def left_behind(gone: Iterable[Counted], come: Iterable[Counted]) -> list[dict[str, Any]]:
    """Names and times that rows which go had told, and that no row which comes tells.

    Whether another chain of the incident tells them, only the database knows.
    """
    told = Counter(entry for row in come for entry in _sayings(row))
    lost: dict[UUID, dict[str, set[str]]] = {}
    for row in gone:
        for incident_id, column, name in _sayings(row):
            if not told[incident_id, column, name]:
                lost.setdefault(incident_id, {}).setdefault(column, set()).add(name)
    return [
        {"incident_id": incident_id, **{name: sorted(own.get(name, ())) for name in _SETS}}
        for incident_id, own in sorted(lost.items())
    ]


def _sayings(row: Counted) -> Iterator[tuple[UUID, str, str]]:
    yield row.incident_id, "root_at", row.root_at.isoformat()
    yield row.incident_id, "root_services", row.root_service
    for column in ("services", "environments", "releases"):
        for name in getattr(row, column):
            yield row.incident_id, column, name


def hour_rows(changes: Mapping[UUID, Delta]) -> list[dict[str, Any]]:
    """Rows of `incident_hours` to add, sorted by key."""
    rows: dict[tuple[UUID, datetime, str], dict[str, int]] = {}
    for incident_id, delta in changes.items():
        for (hour, service, name), count in delta.hours.items():
            row = rows.setdefault((incident_id, hour, service), {"chains": 0, "errors": 0})
            row[name] += count
    return [
        {"incident_id": incident_id, "hour": hour, "service": service, **row}
        for (incident_id, hour, service), row in sorted(rows.items(), key=lambda item: item[0])
        if row["chains"] or row["errors"]
    ]


def _distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value}))
