"""What people change of an incident, as forms: each carries the version that they were reading."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncSession

from app.incidents import lifecycle
from app.incidents.change_queries import busiest_hour
from app.incidents.changes import (
    Author,
    Changed,
    ChangedMeanwhile,
    InvalidMove,
    change,
    merge_incidents,
    note,
    split_incident,
)
from app.incidents.handlers import WORSE_THAN_DAYS
from app.incidents.lifecycle import ImpossibleChange, InvalidSilence
from app.pages.author import remember
from app.pages.incident_reading import DESK, Desk, id_in
from app.preconditions import etag
from app.shapes import NO_NUL

_SAYS_SOMETHING: Final = r"^[^\x00]*[^\x00\s][^\x00]*$"
_Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=_SAYS_SOMETHING)]
_Words = Annotated[str, Meta(max_length=2000, pattern=NO_NUL)]
_Address = Annotated[str, Meta(min_length=1, max_length=500, pattern=NO_NUL)]
_URLENCODED: Final = Body(media_type=RequestEncodingType.URL_ENCODED)
_HOURS: Final = {"1h": 1, "8h": 8, "24h": 24, "7d": 168}
_CHAINS: Final = {"10 chains": 10, "100 chains": 100, "1000 chains": 1000}


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes it, why, and which version of the incident they were reading."""

    version: Annotated[int, Meta(ge=0, le=2_147_483_647)]
    done_by: _Name
    note: _Words = ""


class ResolveForm(Form, frozen=True, kw_only=True):
    in_release: Annotated[str, Meta(max_length=200, pattern=NO_NUL)] = ""


class MuteForm(Form, frozen=True, kw_only=True):
    end: Annotated[str, Meta(max_length=20)] = "worse"


class MergeForm(Form, frozen=True, kw_only=True):
    other: _Address
    """The ID of another incident, or its address."""


class SplitForm(Form, frozen=True, kw_only=True):
    root: _Address


class NoteForm(msgspec.Struct, frozen=True, kw_only=True):
    done_by: _Name
    note: Annotated[str, Meta(min_length=1, max_length=2000, pattern=_SAYS_SOMETHING)]


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody else changed the incident first; what was wanted has not been done."""

    wanted: str
    """The last part of the address of the change."""
    fields: dict[str, Any]
    """What the form said, without its version."""
    newest: dict[str, Any] | None
    happened_at: datetime | None


_Work = Callable[[AsyncSession, UUID, Author], Awaitable[Changed]]


async def _apply(desk: Desk, name: str, wanted: str, form: Form, work: _Work) -> Response[Any]:
    """Do it and lead back to the page; when that cannot be, the page says why not."""
    incident_id = id_in(name)
    author = Author(
        done_by=form.done_by.strip(), note=form.note.strip(), if_match=etag(form.version)
    )
    try:
        async with desk.database.session() as session:
            changed = await work(session, incident_id, author)
    except ChangedMeanwhile as error:
        conflict = _conflict(wanted, form, error)
        return await desk.draw_incident(incident_id, status=412, conflict=conflict)
    except (ImpossibleChange, InvalidSilence, InvalidMove) as error:
        return await desk.draw_incident(incident_id, status=409, problem=str(error))
    return _back(changed.split_off or incident_id, author.done_by)


def _back(incident_id: UUID, done_by: str) -> Redirect:
    return Redirect(f"/incidents/{incident_id}", status_code=303, cookies=[remember(done_by)])


def _conflict(wanted: str, form: Form, error: ChangedMeanwhile) -> Conflict:
    fields = {name: value for name, value in msgspec.structs.asdict(form).items() if value != ""}
    del fields["version"]
    newest = error.newest
    at = msgspec.convert(newest["happened_at"], datetime) if newest else None
    return Conflict(wanted=wanted, fields=fields, newest=newest, happened_at=at)


def _transition(
    decide: Callable[[lifecycle.Standing], lifecycle.Transition],
) -> _Work:
    async def work(session: AsyncSession, incident_id: UUID, author: Author) -> Changed:
        return await change(session, incident_id, author, decide)

    return work


@post("/incidents/{name:str}/acknowledge", dependencies=DESK)
async def acknowledge(
    name: FromPath[str], data: Annotated[Form, _URLENCODED], desk: NamedDependency[Desk]
) -> Response[Any]:
    return await _apply(desk, name, "acknowledge", data, _transition(lifecycle.acknowledge))


@post("/incidents/{name:str}/reopen", dependencies=DESK)
async def reopen(
    name: FromPath[str], data: Annotated[Form, _URLENCODED], desk: NamedDependency[Desk]
) -> Response[Any]:
    return await _apply(desk, name, "reopen", data, _transition(lifecycle.reopen))


@post("/incidents/{name:str}/unmute", dependencies=DESK)
async def unmute(
    name: FromPath[str], data: Annotated[Form, _URLENCODED], desk: NamedDependency[Desk]
) -> Response[Any]:
    return await _apply(desk, name, "unmute", data, _transition(lifecycle.unmute))


@post("/incidents/{name:str}/resolve", dependencies=DESK)
async def resolve(
    name: FromPath[str], data: Annotated[ResolveForm, _URLENCODED], desk: NamedDependency[Desk]
) -> Response[Any]:
    now, release = datetime.now(UTC), data.in_release.strip() or None
    work = _transition(lambda standing: lifecycle.resolve(standing, in_release=release, now=now))
    return await _apply(desk, name, "resolve", data, work)


@post("/incidents/{name:str}/mute", dependencies=DESK)
async def mute(
    name: FromPath[str], data: Annotated[MuteForm, _URLENCODED], desk: NamedDependency[Desk]
) -> Response[Any]:
    async def work(session: AsyncSession, incident_id: UUID, author: Author) -> Changed:
        now = datetime.now(UTC)
        hours, chains = _HOURS.get(data.end), _CHAINS.get(data.end)
        above = None
        if hours is None and chains is None:
            since = now - timedelta(days=WORSE_THAN_DAYS)
            above = await busiest_hour(session, incident_id, since=since)
        until = None if hours is None else now + timedelta(hours=hours)
        decide = lambda standing: lifecycle.mute(  # noqa: E731 - a name for its type's sake
            standing, now=now, until=until, chains=chains, above_hourly=above
        )
        return await change(session, incident_id, author, decide)

    return await _apply(desk, name, "mute", data, work)


@post("/incidents/{name:str}/merge", dependencies=DESK)
async def merge(
    name: FromPath[str], data: Annotated[MergeForm, _URLENCODED], desk: NamedDependency[Desk]
) -> Response[Any]:
    async def work(session: AsyncSession, incident_id: UUID, author: Author) -> Changed:
        try:
            other = UUID(data.other.strip().partition("?")[0].rstrip("/").rpartition("/")[2])
        except ValueError as error:
            raise InvalidMove("This is neither the ID nor the address of an incident.") from error
        return await merge_incidents(session, incident_id, [other], author, now=datetime.now(UTC))

    return await _apply(desk, name, "merge", data, work)


@post("/incidents/{name:str}/split", dependencies=DESK)
async def split(
    name: FromPath[str], data: Annotated[SplitForm, _URLENCODED], desk: NamedDependency[Desk]
) -> Response[Any]:
    async def work(session: AsyncSession, incident_id: UUID, author: Author) -> Changed:
        return await split_incident(session, incident_id, [data.root], author)

    return await _apply(desk, name, "split", data, work)


@post("/incidents/{name:str}/notes", dependencies=DESK)
async def add_note(
    name: FromPath[str], data: Annotated[NoteForm, _URLENCODED], desk: NamedDependency[Desk]
) -> Response[Any]:
    author = Author(done_by=data.done_by.strip(), note=data.note.strip())
    async with desk.database.session() as session:
        await note(session, id_in(name), author)
    return _back(id_in(name), author.done_by)


handlers = (acknowledge, reopen, unmute, resolve, mute, merge, split, add_note)
