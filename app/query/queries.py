"""Every statement of the query room, by name. Read-only: rows in, views out."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, func, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.queries import QUARANTINE_LEAST_CHAINS, QUARANTINE_SHARE
from app.catalogue.tables import known_issues, matches
from app.incidents.tables import incident_chains, incident_evidence
from app.normalise.record import ReportedException
from app.query.rows import match_view, view, with_source
from app.query.views import (
    Debt,
    KnownIssueSummary,
    KnownIssueView,
    MatchView,
    RecordView,
    SignatureView,
)
from app.store.tables import log_records, signatures

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
RECORD_COLUMNS = [log_records.c[name] for name in RecordView.__struct_fields__]
_OF_MATCH = (matches.c.known_issue_id == known_issues.c.known_issue_id) & (
    matches.c.known_issue_version == known_issues.c.version
)


async def chain_records(
    session: AsyncSession, correlation_id: str, *, most: int
) -> tuple[list[RecordView], bool]:
    """The first `most` records of a chain; of a longer one also its last and its errors.

    And whether it is longer. What the digest reads, and so what it was digested from.
    """
    times = (log_records.c.occurred_at, log_records.c.record_id)
    chain = select(*RECORD_COLUMNS).where(log_records.c.correlation_id == correlation_id)
    found = await read_records(session, chain.order_by(*times).limit(most + 1))
    if len(found) <= most:
        return found, False
    errors = chain.where(log_records.c.signature_id.is_not(None)).order_by(*times)
    last = chain.order_by(log_records.c.occurred_at.desc(), log_records.c.record_id)
    read = found[:most]
    for query in (errors, last):
        read += await read_records(session, query.limit(most))
    return list({(one.occurred_at, one.record_id): one for one in read}.values()), True


async def read_records(session: AsyncSession, query: Select[Any]) -> list[RecordView]:
    return [_record(row) for row in await session.execute(query)]


def _record(row: Any) -> RecordView:
    """By hand: a chain has hundreds, and converting each by its shape takes five times as long."""
    values = dict(zip(RecordView.__struct_fields__, row, strict=True))
    if exception := values["exception"]:
        values["exception"] = msgspec.convert(exception, ReportedException)
    values["annotations"] = tuple(values["annotations"])
    return RecordView(**values)


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
    return tuple(view(record, RecordView) for record in records)


async def signatures_by_id(session: AsyncSession, names: Iterable[str]) -> dict[str, SignatureView]:
    said = signatures.c.sample["message"].astext.label("said")
    query = select(signatures, said).where(signatures.c.signature_id.in_(set(names)))
    rows = await session.execute(query)
    return {
        row["signature_id"]: view({**row, "sample": row["said"]}, SignatureView)
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
    return {row["signature_id"]: match_view(row) for row in rows.mappings()}


async def list_known_issues(session: AsyncSession) -> list[KnownIssueSummary]:
    """The newest version of every entry that is not retired, by id."""
    newest = (
        select(known_issues)
        .ext(distinct_on(known_issues.c.known_issue_id))
        .order_by(known_issues.c.known_issue_id, known_issues.c.version.desc())
        .subquery()
    )
    rows = await session.execute(select(newest).where(newest.c.retired_at.is_(None)))
    return [view(with_source(row), KnownIssueSummary) for row in rows.mappings()]


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
    return view(
        {
            **with_source(row),
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
# An incident has one root, unless people merged several: only then its chains are counted.
_DEBT = text("""
    SELECT signature_id, title, culprit, signatures.records, signatures.first_seen,
        signatures.last_seen, hurt.chains, incidents.services
    FROM incident_roots AS root
    JOIN signatures ON signature_id = root.root_signature_id
    JOIN incidents USING (incident_id)
    LEFT JOIN matches USING (signature_id)
    JOIN (
        SELECT incident_id, count(*) AS roots FROM incident_roots GROUP BY incident_id
    ) AS merged USING (incident_id)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN merged.roots > 1 THEN (
            SELECT count(*) FROM incident_chains AS chain
            WHERE chain.incident_id = root.incident_id
            AND chain.root_signature_id = root.root_signature_id
        ) ELSE incidents.chains END AS chains
    ) AS hurt
    WHERE known_issue_id IS NULL AND hurt.chains > 0
    ORDER BY hurt.chains DESC, signatures.records DESC, signature_id
    LIMIT :limit
""")


async def documentation_debt(session: AsyncSession, *, limit: int) -> list[Debt]:
    """Root errors that no known issue explains, those that fail most chains first."""
    rows = await session.execute(_DEBT, {"limit": limit})
    return [view(row, Debt) for row in rows.mappings()]
