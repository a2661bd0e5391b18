"""Every statement that reads incidents, by name: rows in, views out."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, any_, case, cast, func, literal, select, text, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.matcher import QUOTED_SCORE
from app.catalogue.model import Tier
from app.catalogue.tables import known_issues, matches
from app.incidents.tables import (
    NAMES_KEPT,
    NAMES_SHOWN,
    IncidentStatus,
    events,
    incident_chains,
    incident_findings,
    incident_hours,
    incident_roots,
    incidents,
)
from app.query.cursors import Place
from app.query.incident_views import (
    EventView,
    HourCount,
    IncidentFinding,
    IncidentRoot,
    IncidentStanding,
    IncidentSummary,
    SampleChain,
)
from app.query.rows import match_view, view
from app.store.tables import signatures


class IncidentFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which incidents are wanted; None is any."""

    status: IncidentStatus | None = None
    service: str | None = None
    environment: str | None = None
    known: bool | None = None


# The chain rule that held most often explains an incident whose root no rule knows.
_finding = (
    select(incident_findings.c.known_issue_id)
    .where(incident_findings.c.incident_id == incidents.c.incident_id)
    .where(matches.c.known_issue_id.is_(None))
    .order_by(incident_findings.c.chains.desc(), incident_findings.c.known_issue_id)
    .limit(1)
    .lateral("finding")
)
_known_issue_id = func.coalesce(matches.c.known_issue_id, _finding.c.known_issue_id)
_title = (
    select(known_issues.c.title)
    .where(known_issues.c.known_issue_id == _known_issue_id)
    .order_by(
        # As it read when it was matched; of a chain rule, as it reads now.
        (known_issues.c.version == matches.c.known_issue_version).desc().nulls_last(),
        known_issues.c.version.desc(),
    )
    .limit(1)
    .scalar_subquery()
)
# The rule holds for the chain; that it explains the error in it is likely, not certain.
_probable = cast(Tier.PROBABLE, matches.c.tier.type)
_tier = func.coalesce(matches.c.tier, case((_finding.c.known_issue_id.is_not(None), _probable)))

_LISTS = ("services", "root_services", "environments", "releases")

_ROOTS = text("""
    SELECT signature_id, title, culprit,
        CASE WHEN count(*) OVER () = 1
            THEN (SELECT chains FROM incidents WHERE incident_id = :incident_id)
            ELSE (
                SELECT count(*) FROM incident_chains AS chain
                WHERE chain.incident_id = :incident_id
                AND chain.root_signature_id = root.root_signature_id
            )
        END AS chains
    FROM incident_roots AS root
    JOIN signatures ON signature_id = root.root_signature_id
    WHERE incident_id = :incident_id
    ORDER BY chains DESC, signature_id
""")

_FINDINGS = text("""
    SELECT found.chains, found.evidence, issue.*,
        CASE WHEN retired_at IS NULL THEN version END AS newest_version
    FROM incident_findings AS found
    CROSS JOIN LATERAL (
        SELECT * FROM known_issues WHERE known_issue_id = found.known_issue_id
        ORDER BY version DESC LIMIT 1
    ) AS issue
    WHERE incident_id = :incident_id
    ORDER BY found.chains DESC, found.known_issue_id
""")


async def list_incidents(
    session: AsyncSession, wanted: IncidentFilter, *, after: Place | None, limit: int
) -> list[IncidentSummary]:
    """Newest first by when they were last seen."""
    rows = await session.execute(incident_page(wanted, after=after, limit=limit))
    return [view(row, IncidentSummary) for row in rows.mappings()]


def incident_page(wanted: IncidentFilter, *, after: Place | None, limit: int) -> Select[Any]:
    """The statement of a page: its plan is held by a test."""
    query = _filtered(_incident_summaries(names=NAMES_SHOWN), wanted).order_by(
        incidents.c.last_seen.desc(), incidents.c.incident_id.desc()
    )
    if after:
        query = query.where(tuple_(incidents.c.last_seen, incidents.c.incident_id) < after)
    return query.limit(limit)


def _filtered(query: Select[Any], wanted: IncidentFilter) -> Select[Any]:
    if wanted.status:
        query = query.where(incidents.c.status == wanted.status)
    if wanted.service:
        query = query.where(literal(wanted.service) == any_(incidents.c.services))
    if wanted.environment:
        query = query.where(literal(wanted.environment) == any_(incidents.c.environments))
    if wanted.known is not None:
        query = query.where(_known_issue_id.is_not(None) == wanted.known)
    return query


async def incident_standing(session: AsyncSession, incident_id: UUID) -> IncidentStanding | None:
    query = _incident_summaries(names=NAMES_KEPT).where(incidents.c.incident_id == incident_id)
    row = (await session.execute(query)).mappings().one_or_none()
    return view(row, IncidentStanding) if row else None


def _incident_summaries(*, names: int) -> Select[Any]:
    lists = [incidents.c[name] for name in _LISTS]
    return (
        select(
            *(column for column in incidents.c if column.name not in _LISTS),
            *(column[1:names].label(column.name) for column in lists),
            *(func.cardinality(column).label(f"{column.name}_total") for column in lists),
            signatures.c.title,
            signatures.c.culprit,
            _known_issue_id.label("known_issue_id"),
            _known_issue_id.is_not(None).label("known"),
            _tier.label("tier"),
            _title.label("known_issue_title"),
        )
        .join_from(
            incidents, signatures, signatures.c.signature_id == incidents.c.root_signature_id
        )
        .outerjoin(matches, matches.c.signature_id == incidents.c.root_signature_id)
        .outerjoin(_finding, true())
    )


async def incident_exists(session: AsyncSession, incident_id: UUID) -> bool:
    query = select(incidents.c.incident_id).where(incidents.c.incident_id == incident_id)
    return (await session.execute(query)).first() is not None


async def roots_of_incident(session: AsyncSession, incident_id: UUID) -> list[IncidentRoot]:
    """Its root signatures, those of most chains first."""
    rows = await session.execute(_ROOTS, {"incident_id": incident_id})
    return [view(row, IncidentRoot) for row in rows.mappings()]


async def findings_of_incident(session: AsyncSession, incident_id: UUID) -> list[IncidentFinding]:
    """The known issues whose chain rules held, as they read now."""
    rows = await session.execute(_FINDINGS, {"incident_id": incident_id})
    return [
        IncidentFinding(
            chains=row["chains"],
            match=match_view({**row, "tier": Tier.PROBABLE, "score": QUOTED_SCORE}),
        )
        for row in rows.mappings()
    ]


async def latest_chains(
    session: AsyncSession, incident_id: UUID, *, limit: int
) -> tuple[list[SampleChain], set[str]]:
    """The incident's newest chains, and the signatures of the symptoms in them."""
    query = (
        select(incident_chains)
        .where(incident_chains.c.incident_id == incident_id)
        .order_by(incident_chains.c.root_at.desc())
        .limit(limit)
    )
    rows = (await session.execute(query)).mappings().all()
    symptoms = {name for row in rows for name in row["symptoms"]}
    return [view(row, SampleChain) for row in rows], symptoms


async def chains_of_signature(
    session: AsyncSession, signature_id: str, *, limit: int
) -> list[SampleChain]:
    """The newest chains that this signature was the root of."""
    query = (
        select(incident_chains)
        .join(incident_roots, incident_roots.c.incident_id == incident_chains.c.incident_id)
        .where(
            incident_roots.c.root_signature_id == signature_id,
            incident_chains.c.root_signature_id == signature_id,
        )
        .order_by(incident_chains.c.root_at.desc())
        .limit(limit)
    )
    return [view(row, SampleChain) for row in (await session.execute(query)).mappings()]


async def events_of_incident(
    session: AsyncSession, incident_id: UUID, *, after: Place | None = None, limit: int
) -> list[EventView]:
    """What happened to it, newest first."""
    query = (
        select(events)
        .where(events.c.incident_id == incident_id)
        .order_by(events.c.happened_at.desc(), events.c.event_id.desc())
        .limit(limit)
    )
    if after:
        query = query.where(tuple_(events.c.happened_at, events.c.event_id) < after)
    return [view(row, EventView) for row in (await session.execute(query)).mappings()]


async def hours_of_incident(
    session: AsyncSession, incident_id: UUID, *, since: datetime, until: datetime
) -> dict[datetime, dict[str, HourCount]]:
    """Counts by hour and service; an hour without errors is missing."""
    query = (
        select(incident_hours)
        .where(
            incident_hours.c.incident_id == incident_id,
            incident_hours.c.hour >= since,
            incident_hours.c.hour < until,
        )
        .order_by(incident_hours.c.hour, incident_hours.c.service)
    )
    found: dict[datetime, dict[str, HourCount]] = {}
    for row in (await session.execute(query)).mappings():
        found.setdefault(row["hour"], {})[row["service"]] = view(row, HourCount)
    return found
