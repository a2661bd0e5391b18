"""What people change of incidents: locked, held against what they last read, told in an event."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import AppError, NotFound
from app.incidents import change_queries as queries
from app.incidents.count_queries import recount
from app.incidents.lifecycle import ImpossibleChange, Standing, Transition, merge, refuse_merged
from app.incidents.tables import EventKind, IncidentStatus
from app.preconditions import holds


class UnknownIncident(NotFound):
    """No incident has this ID."""


class InvalidMove(AppError):
    """The incidents or signatures named cannot be moved this way."""


class ChangedMeanwhile(AppError):
    """Somebody changed the incident since it was read; read it again and decide anew."""

    def __init__(self, version: int, newest: dict[str, Any] | None) -> None:
        self.version = version
        self.newest = newest
        super().__init__(_meanwhile(version, newest))


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes an incident, why, and on the ground of what they read."""

    done_by: str
    note: str = ""
    if_match: str | None = None


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """An incident after a change."""

    incident_id: UUID
    status: IncidentStatus
    version: int
    event_id: UUID
    split_off: UUID | None = None
    """The new incident, after a split."""


def _meanwhile(version: int, newest: dict[str, Any] | None) -> str:
    words = f"The incident is at version {version} and was not when you read it"
    if newest:
        who = newest["done_by"] or "the service"
        words += f": {newest['kind']} by {who} at {newest['happened_at']}"
        if note := newest["details"].get("note"):
            words += f" ({note})"
    return f"{words}. Read it again and decide anew."


async def change(
    session: AsyncSession,
    incident_id: UUID,
    author: Author,
    decide: Callable[[Standing], Transition],
) -> Changed:
    """Bring an incident through one transition.

    Raises `UnknownIncident`, `ChangedMeanwhile`, what `holds` raises and what `decide` does.
    """
    row = await _locked(session, incident_id, author)
    return await _save(session, incident_id, author, decide(queries.standing_of(row)))


async def note(session: AsyncSession, incident_id: UUID, author: Author) -> Changed:
    """Add a note to the history: it overwrites nothing, so `If-Match` is held only if sent."""
    rows = await queries.lock_incidents(session, [incident_id])
    row = await _current(session, rows, incident_id, None if author.if_match is None else author)
    event_id = await _tell(session, EventKind.NOTED, incident_id, author, {})
    return Changed(
        incident_id=incident_id,
        status=IncidentStatus(row.status),
        version=row.version,
        event_id=event_id,
    )


async def merge_incidents(
    session: AsyncSession,
    incident_id: UUID,
    others: Sequence[UUID],
    author: Author,
    *,
    now: datetime,
) -> Changed:
    """The others become part of this one: their roots, chains and evidence. They stay readable.

    Raises `InvalidMove`, `ImpossibleChange` beside what `change` raises.
    """
    sources = sorted(set(others))
    if incident_id in sources:
        raise InvalidMove("An incident cannot be merged into itself.")
    await queries.wait_for_turn(session)
    rows = await queries.lock_incidents(session, [incident_id, *sources])
    row = await _current(session, rows, incident_id, author)
    if unknown := [str(one) for one in sources if one not in rows]:
        raise InvalidMove(f"No incident has the ID {', '.join(unknown)}.")
    target = queries.standing_of(row)
    refuse_merged(target)
    if target.status is IncidentStatus.RESOLVED:
        raise ImpossibleChange("This incident is resolved; reopen it, or merge into an open one.")
    goes = {one: merge(queries.standing_of(rows[one]), incident_id, now=now) for one in sources}
    await queries.move(session, sources, incident_id)
    for one, transition in goes.items():
        await _save(session, one, author, transition)
    version = await queries.save_change(session, incident_id, {})
    event_id = await _tell(
        session, EventKind.MERGED, incident_id, author, {"incident_ids": sources}
    )
    await recount(session, [incident_id, *sources])
    return Changed(
        incident_id=incident_id, status=target.status, version=version, event_id=event_id
    )


async def split_incident(
    session: AsyncSession, incident_id: UUID, roots: Sequence[str], author: Author
) -> Changed:
    """Some of an incident's root signatures leave into a new incident, with their chains.

    Raises `InvalidMove` beside what `change` raises.
    """
    await queries.wait_for_turn(session)
    row = await _locked(session, incident_id, author)
    refuse_merged(queries.standing_of(row))
    leaving = list(dict.fromkeys(roots))
    own = await queries.roots_of(session, incident_id)
    if unknown := [root for root in leaving if root not in own]:
        raise InvalidMove(f"No root of this incident: {', '.join(unknown)}.")
    if len(leaving) == len(own):
        raise InvalidMove("A split leaves at least one root signature where it is.")
    fresh = await queries.split_off(session, incident_id, root=leaving[0])
    await queries.move(session, [incident_id], fresh, roots=leaving)
    await queries.name_by_oldest_root(session, [incident_id])
    await recount(session, [incident_id, fresh])
    version = await queries.save_change(session, incident_id, {})
    told = {"root_signature_ids": leaving}
    await _tell(session, EventKind.SPLIT, fresh, author, {**told, "out_of": incident_id})
    event_id = await _tell(session, EventKind.SPLIT, incident_id, author, {**told, "into": fresh})
    return Changed(
        incident_id=incident_id,
        status=IncidentStatus(row.status),
        version=version,
        event_id=event_id,
        split_off=fresh,
    )


async def _locked(session: AsyncSession, incident_id: UUID, author: Author) -> Any:
    rows = await queries.lock_incidents(session, [incident_id])
    return await _current(session, rows, incident_id, author)


async def _current(
    session: AsyncSession, rows: dict[UUID, Any], incident_id: UUID, author: Author | None
) -> Any:
    row = rows.get(incident_id)
    if row is None:
        raise UnknownIncident
    if author and not holds(author.if_match, row.version):
        newest = await queries.newest_change(session, incident_id)
        raise ChangedMeanwhile(row.version, newest)
    return row


async def _save(
    session: AsyncSession, incident_id: UUID, author: Author, transition: Transition
) -> Changed:
    version = await queries.save_change(session, incident_id, transition.changes)
    event_id = await _tell(session, transition.kind, incident_id, author, transition.details)
    return Changed(
        incident_id=incident_id,
        status=transition.changes["status"],
        version=version,
        event_id=event_id,
    )


async def _tell(
    session: AsyncSession,
    kind: EventKind,
    incident_id: UUID,
    author: Author,
    details: dict[str, Any],
) -> UUID:
    said = {**details, "note": author.note} if author.note else details
    return await queries.save_event(
        session, kind, incident_id, done_by=author.done_by, details=said
    )
