"""What engineers ask of incidents."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database
from app.incidents.changes import UnknownIncident
from app.incidents.tables import IncidentStatus
from app.preconditions import etag
from app.query import incident_queries as queries
from app.query.cursors import read_cursor, write_cursor
from app.query.hours import filled, hours_between
from app.query.incident_queries import IncidentFilter
from app.query.incident_views import EventPage, HoursView, IncidentPage, IncidentView
from app.query.parameters import Environment, Known, Service, Since, Until
from app.query.queries import matches_by_signature, signatures_by_id
from app.shapes import IncidentId, problems, shown

SAMPLE_CHAINS: Final = 20
HISTORY: Final = 100
_After = Annotated[str | None, QueryParameter(max_length=200)]
_Limit = Annotated[int, QueryParameter(ge=1, le=500, examples=shown(50))]


@get("/incidents", operation_id="listIncidents", responses=problems(400, 503))
async def list_incidents(
    *,
    database: NamedDependency[Database],
    status: Annotated[IncidentStatus | None, QueryParameter(examples=shown("open"))] = None,
    service: Service = None,
    environment: Environment = None,
    known: Known = None,
    after: _After = None,
    limit: _Limit = 50,
) -> IncidentPage:
    """Incidents, the one last seen first."""
    wanted = IncidentFilter(status=status, service=service, environment=environment, known=known)
    place = read_cursor(after) if after else None
    async with database.session() as session:
        found = await queries.list_incidents(session, wanted, after=place, limit=limit + 1)
    page = tuple(found[:limit])
    more = len(found) > limit
    return IncidentPage(
        incidents=page,
        next=write_cursor(page[-1].last_seen, page[-1].incident_id) if more else None,
    )


@get("/incidents/{incident_id:uuid}", operation_id="getIncident", responses=problems(400, 404, 503))
async def get_incident(
    incident_id: IncidentId, database: NamedDependency[Database]
) -> Response[IncidentView]:
    """One incident: its root signatures, known issue and fix, symptoms, history, latest chains."""
    async with database.session() as session:
        found = await read_incident(session, incident_id)
    return Response(found, headers={"ETag": etag(found.version)})


async def read_incident(session: AsyncSession, incident_id: UUID) -> IncidentView:
    """Raises `UnknownIncident`."""
    standing = await queries.incident_standing(session, incident_id)
    if standing is None:
        raise UnknownIncident
    chains, symptoms = await queries.latest_chains(session, incident_id, limit=SAMPLE_CHAINS)
    root = standing.root_signature_id
    signatures = await signatures_by_id(session, {root, *symptoms})
    matches = await matches_by_signature(session, {root})
    findings = await queries.findings_of_incident(session, incident_id)
    found = next((finding.match for finding in findings), None)
    return IncidentView(
        **msgspec.structs.asdict(standing),
        match=matches.get(root, found),
        findings=tuple(findings),
        signature=signatures[root],
        roots=tuple(await queries.roots_of_incident(session, incident_id)),
        symptoms=tuple(signatures[name] for name in sorted(symptoms) if name in signatures),
        confidence=chains[0].confidence if chains else None,
        reasons=chains[0].reasons if chains else (),
        sample_chains=tuple(chains),
        history=tuple(await queries.events_of_incident(session, incident_id, limit=HISTORY)),
    )


@get(
    "/incidents/{incident_id:uuid}/events",
    operation_id="listIncidentEvents",
    responses=problems(400, 404, 503),
)
async def list_events(
    incident_id: IncidentId,
    database: NamedDependency[Database],
    after: _After = None,
    limit: _Limit = 100,
) -> EventPage:
    """What happened to an incident, newest first."""
    place = read_cursor(after) if after else None
    async with database.session() as session:
        if not await queries.incident_exists(session, incident_id):
            raise UnknownIncident
        found = await queries.events_of_incident(session, incident_id, after=place, limit=limit + 1)
    page = tuple(found[:limit])
    more = len(found) > limit
    return EventPage(
        events=page, next=write_cursor(page[-1].happened_at, page[-1].event_id) if more else None
    )


@get(
    "/incidents/{incident_id:uuid}/hours",
    operation_id="listIncidentHours",
    responses=problems(400, 404, 503),
)
async def list_hours(
    incident_id: IncidentId,
    database: NamedDependency[Database],
    since: Since = None,
    until: Until = None,
) -> HoursView:
    """Failing chains and errors by hour and service: the last day, or up to 31 days."""
    hours = hours_between(since, until, now=datetime.now(UTC))
    async with database.session() as session:
        if not await queries.incident_exists(session, incident_id):
            raise UnknownIncident
        counts = await queries.hours_of_incident(
            session, incident_id, since=hours[0], until=hours[-1] + timedelta(hours=1)
        )
    return HoursView(hours=filled(hours, counts))
