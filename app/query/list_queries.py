"""Every statement that reads lists of chains and signatures, by name: rows in, views out."""

from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Select, any_, func, literal, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.tables import known_issues, matches
from app.incidents.tables import incident_chains, incident_roots, incidents
from app.query.list_views import ChainSummary, SignatureSummary
from app.query.rows import view
from app.store.tables import signature_services, signatures

MOST_SERVICES: Final = 20
_chain = incident_chains.c


class ChainFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which chains are wanted; None is any."""

    service: str | None = None
    environment: str | None = None
    root_service: str | None = None
    known: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


class SignatureFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which signatures are wanted; None is any."""

    service: str | None = None
    known: bool | None = None


# What a rule says of the root comes before what a chain rule found in the chain.
_explained_by = func.coalesce(matches.c.known_issue_id, _chain.findings[1])


def _title_of(known_issue_id: Any) -> Any:
    return (
        select(known_issues.c.title)
        .where(known_issues.c.known_issue_id == known_issue_id)
        .order_by(known_issues.c.version.desc())
        .limit(1)
        .scalar_subquery()
    )


async def list_chains(
    session: AsyncSession,
    wanted: ChainFilter,
    *,
    after: tuple[datetime, tuple[str, ...]] | None,
    limit: int,
) -> list[ChainSummary]:
    """Failing chains, the newest root first."""
    rows = await session.execute(chain_page(wanted, after=after, limit=limit))
    return [view(row, ChainSummary) for row in rows.mappings()]


def chain_page(
    wanted: ChainFilter, *, after: tuple[datetime, tuple[str, ...]] | None, limit: int
) -> Select[Any]:
    """The statement of a page: its plan is held by a test."""
    order = (_chain.root_at, _chain.correlation_id, _chain.root_signature_id)
    query = (
        select(
            incident_chains,
            signatures.c.title,
            _explained_by.label("known_issue_id"),
            _explained_by.is_not(None).label("known"),
            _title_of(_explained_by).label("known_issue_title"),
        )
        .outerjoin(signatures, signatures.c.signature_id == _chain.root_signature_id)
        .outerjoin(matches, matches.c.signature_id == _chain.root_signature_id)
        .order_by(*(column.desc() for column in order))
        .limit(limit)
    )
    if after:
        query = query.where(tuple_(*order) < (after[0], *after[1]))
    return _filtered(query, wanted)


def _filtered(query: Select[Any], wanted: ChainFilter) -> Select[Any]:
    if wanted.service:
        query = query.where(literal(wanted.service) == any_(_chain.services))
    if wanted.environment:
        query = query.where(literal(wanted.environment) == any_(_chain.environments))
    if wanted.root_service:
        query = query.where(_chain.root_service == wanted.root_service)
    if wanted.known is not None:
        query = query.where(_is_known(_explained_by, wanted.known))
    if wanted.since:
        query = query.where(_chain.root_at >= wanted.since)
    if wanted.until:
        query = query.where(_chain.root_at < wanted.until)
    return query


async def list_signatures(
    session: AsyncSession,
    wanted: SignatureFilter,
    *,
    after: tuple[datetime, tuple[str, ...]] | None,
    limit: int,
) -> list[SignatureSummary]:
    """Signatures, the one first seen last first."""
    rows = await session.execute(signature_page(wanted, after=after, limit=limit))
    return [view(row, SignatureSummary) for row in rows.mappings()]


def signature_page(
    wanted: SignatureFilter, *, after: tuple[datetime, tuple[str, ...]] | None, limit: int
) -> Select[Any]:
    """The statement of a page: its plan is held by a test."""
    table, match = signatures.c, matches.c
    raised_in = (
        select(signature_services.c.service)
        .where(signature_services.c.signature_id == table.signature_id)
        .order_by(signature_services.c.records.desc(), signature_services.c.service)
        .limit(MOST_SERVICES)
        .correlate(signatures)
    )
    query = (
        select(
            *(table[name] for name in SignatureSummary.__struct_fields__ if name in table),
            func.array(raised_in.scalar_subquery()).label("services"),
            match.known_issue_id,
            match.known_issue_id.is_not(None).label("known"),
            match.tier,
            _title_of(match.known_issue_id).label("known_issue_title"),
            incidents.c.incident_id,
            incidents.c.status.label("incident_status"),
        )
        .outerjoin(matches, match.signature_id == table.signature_id)
        .outerjoin(incident_roots, incident_roots.c.root_signature_id == table.signature_id)
        .outerjoin(incidents, incidents.c.incident_id == incident_roots.c.incident_id)
        .order_by(table.first_seen.desc(), table.signature_id.desc())
        .limit(limit)
    )
    if after:
        query = query.where(tuple_(table.first_seen, table.signature_id) < (after[0], *after[1]))
    if wanted.known is not None:
        query = query.where(_is_known(match.known_issue_id, wanted.known))
    if wanted.service:
        query = query.where(_is_raised_in(wanted.service))
    return query


def _is_known(known_issue_id: Any, known: bool) -> Any:
    # Not `IS NOT NULL = true`: the planner takes that for rare, and sorts all there is.
    return known_issue_id.is_not(None) if known else known_issue_id.is_(None)


def _is_raised_in(service: str) -> Any:
    raised = signature_services.alias("raised")
    found = select(true()).where(
        raised.c.signature_id == signatures.c.signature_id, raised.c.service == service
    )
    return found.correlate(signatures).exists()
