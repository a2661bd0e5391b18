"""Every statement of the query room, by name. Read-only: rows in, views out."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import Select, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.queries import QUARANTINE_LEAST_CHAINS, QUARANTINE_SHARE
from app.catalogue.tables import known_issues, matches
from app.incidents.tables import (
    IncidentStatus,
    incident_chains,
    incident_evidence,
    incidents,
)
from app.query.views import (
    Debt,
    IncidentSummary,
    KnownIssueSummary,
    KnownIssueView,
    MatchView,
    RecordView,
    SampleChain,
    SignatureView,
    Source,
)
from app.store.tables import log_records, signatures

_View = TypeVar("_View", bound=msgspec.Struct)

_newer = known_issues.alias("newer")
_NEWEST_VERSION = (
    select(func.max(_newer.c.version))
    .where(_newer.c.known_issue_id == known_issues.c.known_issue_id, _newer.c.retired_at.is_(None))
    .correlate(known_issues)
    .scalar_subquery()
    .label("newest_version")
)
_MATCH_COLUMNS = (
    matches.c.signature_id,
    matches.c.tier,
    matches.c.score,
    matches.c.evidence,
    matches.c.borrowed_from,
    known_issues.c.known_issue_id,
    known_issues.c.version,
    _NEWEST_VERSION,
    known_issues.c.title,
    known_issues.c.fix,
    known_issues.c.caution,
    known_issues.c.document,
    known_issues.c.heading_path,
    known_issues.c.first_line,
    known_issues.c.last_line,
    known_issues.c.origin,
)
_OF_MATCH = (matches.c.known_issue_id == known_issues.c.known_issue_id) & (
    matches.c.known_issue_version == known_issues.c.version
)


async def chain_records(
    session: AsyncSession, correlation_id: str, *, most: int
) -> list[RecordView]:
    """The first `most` records of a chain by time; of a longer one, also its first errors."""
    query = (
        select(log_records)
        .where(log_records.c.correlation_id == correlation_id)
        .order_by(log_records.c.occurred_at, log_records.c.record_id)
        .limit(most)
    )
    found = [_view(row, RecordView) for row in (await session.execute(query)).mappings()]
    if len(found) < most:
        return found
    errors = query.where(log_records.c.signature_id.is_not(None))
    more = [_view(row, RecordView) for row in (await session.execute(errors)).mappings()]
    known = {(record.occurred_at, record.record_id) for record in found}
    return found + [r for r in more if (r.occurred_at, r.record_id) not in known]


async def incidents_of_chain(session: AsyncSession, correlation_id: str) -> dict[str, UUID]:
    """Root signature -> incident, for each root that the chain was found to have."""
    query = select(incident_chains.c.root_signature_id, incident_chains.c.incident_id).where(
        incident_chains.c.correlation_id == correlation_id
    )
    return {row[0]: row[1] for row in await session.execute(query)}


async def kept_records(session: AsyncSession, correlation_id: str) -> tuple[RecordView, ...]:
    """What an incident kept of a chain whose records are gone."""
    query = (
        select(incident_evidence.c.records)
        .where(incident_evidence.c.correlation_id == correlation_id)
        .limit(1)
    )
    records = (await session.execute(query)).scalar_one_or_none() or []
    return tuple(_view(record, RecordView) for record in records)


async def signatures_by_id(session: AsyncSession, names: Iterable[str]) -> dict[str, SignatureView]:
    said = signatures.c.sample["message"].astext.label("said")
    query = select(signatures, said).where(signatures.c.signature_id.in_(set(names)))
    rows = await session.execute(query)
    return {
        row["signature_id"]: _view({**row, "sample": row["said"]}, SignatureView)
        for row in rows.mappings()
    }


async def matches_by_signature(session: AsyncSession, names: Iterable[str]) -> dict[str, MatchView]:
    """The known issue of each signature that has one, as it read when it was matched."""
    query = (
        select(*_MATCH_COLUMNS)
        .join_from(matches, known_issues, _OF_MATCH)
        .where(matches.c.signature_id.in_(set(names)))
    )
    rows = await session.execute(query)
    return {row["signature_id"]: _match_view(row) for row in rows.mappings()}


async def list_incidents(
    session: AsyncSession,
    *,
    status: IncidentStatus | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[IncidentSummary]:
    """Newest first by when they were last seen."""
    query = _incident_summaries().order_by(
        incidents.c.last_seen.desc(), incidents.c.incident_id.desc()
    )
    if status:
        query = query.where(incidents.c.status == status)
    if after:
        query = query.where(tuple_(incidents.c.last_seen, incidents.c.incident_id) < after)
    rows = await session.execute(query.limit(limit))
    return [_view(row, IncidentSummary) for row in rows.mappings()]


async def incident_summary(session: AsyncSession, incident_id: UUID) -> IncidentSummary | None:
    query = _incident_summaries().where(incidents.c.incident_id == incident_id)
    row = (await session.execute(query)).mappings().one_or_none()
    return _view(row, IncidentSummary) if row else None


def _incident_summaries() -> Select[Any]:
    return (
        select(
            incidents,
            signatures.c.title,
            signatures.c.culprit,
            matches.c.tier,
            matches.c.known_issue_id,
            known_issues.c.title.label("known_issue_title"),
            known_issues.c.known_issue_id.is_not(None).label("known"),
        )
        .join_from(
            incidents, signatures, signatures.c.signature_id == incidents.c.root_signature_id
        )
        .outerjoin(matches, matches.c.signature_id == incidents.c.root_signature_id)
        .outerjoin(known_issues, _OF_MATCH)
    )


async def latest_chains(
    session: AsyncSession, incident_id: UUID, *, limit: int
) -> tuple[list[SampleChain], set[str]]:
    """The incident's newest chains, and the signatures of the symptoms in them."""
    query = (
        select(incident_chains)
        .where(incident_chains.c.incident_id == incident_id)
        .order_by(incident_chains.c.last_at.desc())
        .limit(limit)
    )
    rows = (await session.execute(query)).mappings().all()
    symptoms = {name for row in rows for name in row["symptoms"]}
    return [_view(row, SampleChain) for row in rows], symptoms


async def list_known_issues(session: AsyncSession) -> list[KnownIssueSummary]:
    """The newest version of every entry that is not retired, by id."""
    newest = (
        select(known_issues)
        .ext(distinct_on(known_issues.c.known_issue_id))
        .order_by(known_issues.c.known_issue_id, known_issues.c.version.desc())
        .subquery()
    )
    rows = await session.execute(select(newest).where(newest.c.retired_at.is_(None)))
    return [_view(_with_source(row), KnownIssueSummary) for row in rows.mappings()]


async def known_issue(session: AsyncSession, known_issue_id: str) -> KnownIssueView | None:
    """The newest version of an entry, retired or not, with how it fares."""
    query = (
        select(known_issues)
        .where(known_issues.c.known_issue_id == known_issue_id)
        .order_by(known_issues.c.version.desc())
        .limit(1)
    )
    row = (await session.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    fares = (await session.execute(_HOW_IT_FARES, dict(_key(row)))).mappings().one()
    judged = fares["confirmed"] + fares["rejected"]
    quarantined = (
        fares["healthy_chains"] >= QUARANTINE_LEAST_CHAINS
        and fares["healthy_hits"] > fares["healthy_chains"] * QUARANTINE_SHARE
    )
    return _view(
        {
            **_with_source(row),
            **fares,
            "judged": judged,
            "precision": fares["confirmed"] / judged if judged else None,
            "quarantined": quarantined,
        },
        KnownIssueView,
    )


def _key(row: Any) -> dict[str, Any]:
    return {"name": row["known_issue_id"], "version": row["version"]}


_HOW_IT_FARES = text("""
    SELECT
        (SELECT count(*) FROM matches WHERE known_issue_id = :name) AS signatures,
        (SELECT count(*) FROM match_verdicts
         WHERE known_issue_id = :name AND verdict = 'confirmed') AS confirmed,
        (SELECT count(*) FROM match_verdicts
         WHERE known_issue_id = :name AND verdict = 'rejected') AS rejected,
        coalesce(max(healthy_chains), 0) AS healthy_chains,
        coalesce(max(hits), 0) AS healthy_hits
    FROM entry_health WHERE known_issue_id = :name AND version = :version
""")

# Chains first: an error that fails requests hurts more than one that is only logged often.
_DEBT = text("""
    SELECT signature_id, title, culprit, signatures.records, first_seen, last_seen,
        coalesce(hurt.chains, 0) AS chains, coalesce(hurt.services, '{}') AS services
    FROM signatures
    LEFT JOIN matches USING (signature_id)
    LEFT JOIN LATERAL (
        SELECT
            (SELECT sum(chains)::bigint FROM incidents
             WHERE root_signature_id = signatures.signature_id) AS chains,
            ARRAY(SELECT DISTINCT unnest(services) FROM incidents
                  WHERE root_signature_id = signatures.signature_id ORDER BY 1) AS services
    ) AS hurt ON true
    WHERE known_issue_id IS NULL AND hurt.chains > 0
    ORDER BY hurt.chains DESC, signatures.records DESC, signature_id
    LIMIT :limit
""")


async def documentation_debt(session: AsyncSession, *, limit: int) -> list[Debt]:
    """Root errors that no known issue explains, those that fail most chains first."""
    rows = await session.execute(_DEBT, {"limit": limit})
    return [_view(row, Debt) for row in rows.mappings()]


async def chains_of_signature(
    session: AsyncSession, signature_id: str, *, limit: int
) -> list[SampleChain]:
    """The newest chains that this signature was the root of."""
    query = (
        select(incident_chains)
        .join(incidents, incidents.c.incident_id == incident_chains.c.incident_id)
        .where(incidents.c.root_signature_id == signature_id)
        .order_by(incident_chains.c.last_at.desc())
        .limit(limit)
    )
    return [_view(row, SampleChain) for row in (await session.execute(query)).mappings()]


def _match_view(row: Any) -> MatchView:
    return _view(_with_source(row), MatchView)


def _with_source(row: Any) -> dict[str, Any]:
    names = Source.__struct_fields__
    return {**row, "source": {name: row[name] for name in names}}


def _view(row: Any, shape: type[_View]) -> _View:
    """The columns a shape names, turned into its types; fields with a default may be missing."""
    return msgspec.convert({n: row[n] for n in shape.__struct_fields__ if n in row}, shape)
