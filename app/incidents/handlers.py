"""How people change incidents over HTTP. Every change needs `If-Match`, every answer has `ETag`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import Response, Router, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from app.database import Database
from app.incidents import lifecycle
from app.incidents.change_queries import busiest_hour
from app.incidents.changes import (
    Author,
    Changed,
    change,
    merge_incidents,
    note,
    split_incident,
)
from app.incidents.lifecycle import Standing, Transition
from app.preconditions import IF_MATCH, etag
from app.shapes import NO_NUL, SAYS_SOMETHING, IncidentId, example_body, problems

WORSE_THAN_DAYS: Final = 7

_Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=SAYS_SOMETHING)]
_Words = Annotated[str, Meta(max_length=2000, pattern=NO_NUL)]
_STATUSES: Final = problems(400, 404, 409, 412, 428, 503)


# A field that is misspelt must not make a change into another one.
class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who does it, and why."""

    done_by: _Name
    note: _Words = ""


class Resolution(Change, frozen=True, kw_only=True, forbid_unknown_fields=True):
    in_release: _Name | None = None
    """The first release without the error: chains of older ones do not reopen the incident."""


class Silence(Change, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At least one end of it; whatever comes first."""

    until: Annotated[datetime, Meta(tz=True)] | None = None
    chains: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None
    """So many further chains."""
    above_hourly: Annotated[int, Meta(ge=0, le=1_000_000_000)] | None = None
    """More chains than this in an hour."""
    worse: bool = False
    """More chains in an hour than in any of the last seven days."""


class Merge(Change, frozen=True, kw_only=True, forbid_unknown_fields=True):
    incident_ids: Annotated[list[UUID], Meta(min_length=1, max_length=100)]
    """They are merged into the one in the path."""


class Split(Change, frozen=True, kw_only=True, forbid_unknown_fields=True):
    root_signature_ids: Annotated[list[_Name], Meta(min_length=1, max_length=100)]
    """They leave into a new incident."""


class Note(Change, frozen=True, kw_only=True, forbid_unknown_fields=True):
    note: Annotated[str, Meta(min_length=1, max_length=2000, pattern=SAYS_SOMETHING)]


async def _change(
    database: Database,
    incident_id: UUID,
    data: Change,
    if_match: str | None,
    decide: Callable[[Standing], Transition],
) -> Response[Changed]:
    async with database.session() as session:
        return _answer(await change(session, incident_id, _author(data, if_match), decide))


def _author(data: Change, if_match: str | None) -> Author:
    return Author(done_by=data.done_by, note=data.note, if_match=if_match)


def _answer(changed: Changed) -> Response[Changed]:
    return Response(changed, headers={"ETag": etag(changed.version)})


@post(
    "/acknowledge",
    operation_id="acknowledgeIncident",
    operation_class=example_body({"done_by": "ana", "note": "I am on it"}),
    status_code=200,
    responses=_STATUSES,
)
async def acknowledge(
    incident_id: IncidentId,
    data: JSONBody[Change],
    database: NamedDependency[Database],
    if_match: NamedDependency[str | None],
) -> Response[Changed]:
    """Somebody has it in hand."""
    return await _change(database, incident_id, data, if_match, lifecycle.acknowledge)


@post(
    "/resolve",
    operation_id="resolveIncident",
    operation_class=example_body({"done_by": "ana", "in_release": "1.2.0", "note": "index added"}),
    status_code=200,
    responses=_STATUSES,
)
async def resolve(
    incident_id: IncidentId,
    data: JSONBody[Resolution],
    database: NamedDependency[Database],
    if_match: NamedDependency[str | None],
) -> Response[Changed]:
    """It is over; a chain that comes later, or in a newer release, reopens it as a regression."""
    now = datetime.now(UTC)
    return await _change(
        database,
        incident_id,
        data,
        if_match,
        lambda standing: lifecycle.resolve(standing, in_release=data.in_release, now=now),
    )


@post(
    "/reopen",
    operation_id="reopenIncident",
    operation_class=example_body({"done_by": "ana", "note": "it came back"}),
    status_code=200,
    responses=_STATUSES,
)
async def reopen(
    incident_id: IncidentId,
    data: JSONBody[Change],
    database: NamedDependency[Database],
    if_match: NamedDependency[str | None],
) -> Response[Changed]:
    """A resolved or acknowledged incident is open again."""
    return await _change(database, incident_id, data, if_match, lifecycle.reopen)


@post(
    "/mute",
    operation_id="muteIncident",
    operation_class=example_body({"done_by": "ana", "chains": 1000, "worse": True}),
    status_code=200,
    responses=_STATUSES,
)
async def mute(
    incident_id: IncidentId,
    data: JSONBody[Silence],
    database: NamedDependency[Database],
    if_match: NamedDependency[str | None],
) -> Response[Changed]:
    """No alerts until a moment, a number of further chains, or until it gets worse."""
    now = datetime.now(UTC)
    async with database.session() as session:
        above = data.above_hourly
        if data.worse and above is None:
            since = now - timedelta(days=WORSE_THAN_DAYS)
            above = await busiest_hour(session, incident_id, since=since)
        changed = await change(
            session,
            incident_id,
            _author(data, if_match),
            lambda standing: lifecycle.mute(
                standing, now=now, until=data.until, chains=data.chains, above_hourly=above
            ),
        )
    return _answer(changed)


@post(
    "/unmute",
    operation_id="unmuteIncident",
    operation_class=example_body({"done_by": "ana"}),
    status_code=200,
    responses=_STATUSES,
)
async def unmute(
    incident_id: IncidentId,
    data: JSONBody[Change],
    database: NamedDependency[Database],
    if_match: NamedDependency[str | None],
) -> Response[Changed]:
    """Alerts again."""
    return await _change(database, incident_id, data, if_match, lifecycle.unmute)


@post(
    "/merge",
    operation_id="mergeIncidents",
    operation_class=example_body(
        {"done_by": "ana", "incident_ids": ["5b0f4c2e-3d61-4b8e-a1d7-9e2c6f7a8b90"]}
    ),
    status_code=200,
    responses=_STATUSES,
)
async def merge(
    incident_id: IncidentId,
    data: JSONBody[Merge],
    database: NamedDependency[Database],
    if_match: NamedDependency[str | None],
) -> Response[Changed]:
    """Other incidents become part of this one, and so do the chains that would come to them."""
    async with database.session() as session:
        return _answer(
            await merge_incidents(
                session,
                incident_id,
                data.incident_ids,
                _author(data, if_match),
                now=datetime.now(UTC),
            )
        )


@post(
    "/split",
    operation_id="splitIncident",
    operation_class=example_body(
        {"done_by": "ana", "root_signature_ids": ["v1:9f86d081884c7d659a2feaa0c55ad015"]}
    ),
    status_code=200,
    responses=_STATUSES,
)
async def split(
    incident_id: IncidentId,
    data: JSONBody[Split],
    database: NamedDependency[Database],
    if_match: NamedDependency[str | None],
) -> Response[Changed]:
    """Some root signatures leave into a new incident, and so do the chains that would come."""
    async with database.session() as session:
        author = _author(data, if_match)
        return _answer(await split_incident(session, incident_id, data.root_signature_ids, author))


@post(
    "/notes",
    operation_id="noteIncident",
    operation_class=example_body({"done_by": "ana", "note": "the team was told"}),
    status_code=201,
    responses=_STATUSES,
)
async def add_note(
    incident_id: IncidentId,
    data: JSONBody[Note],
    database: NamedDependency[Database],
    if_match: NamedDependency[str | None],
) -> Response[Changed]:
    """Add to the history. Needs no `If-Match`: a note overwrites nothing."""
    async with database.session() as session:
        return _answer(await note(session, incident_id, _author(data, if_match)))


router = Router(
    path="/api/incidents/{incident_id:uuid}",
    dependencies=IF_MATCH,
    route_handlers=[acknowledge, resolve, reopen, mute, unmute, merge, split, add_note],
)
