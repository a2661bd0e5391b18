"""`/logs/record`: one log record with its fields and its error, and what stood around it."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.database import Database
from app.pages.drawing import Pages, asks_for_part
from app.pages.log_asking import LogsAsked
from app.pages.log_parameters import ASKED
from app.pages.log_rows import rows_of
from app.pages.opened_record import opened
from app.query.log_queries import one_record
from app.query.log_views import LogView
from app.query.record_place import place_of
from app.query.signature_links import signature_links
from app.query.surroundings import UnknownRecord, surroundings
from app.query.walking import while_connected
from app.settings import Settings

AROUND: Final = 20
_Place = Annotated[datetime, QueryParameter()]


@get("/logs/record", dependencies=ASKED)
async def show_record(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    log_asked: NamedDependency[LogsAsked],
    correlation_id: Annotated[str, QueryParameter(max_length=1000)],
    occurred_at: _Place,
    record_id: Annotated[UUID, QueryParameter()],
) -> Response[str]:
    """The record; as a page of its own also what its instance logged before and after."""
    place = place_of(correlation_id, occurred_at, record_id)
    before: tuple[LogView, ...] = ()
    after: tuple[LogView, ...] = ()
    if asks_for_part(request):
        async with database.reading(seconds=settings.search_seconds) as session:
            record = await one_record(session, place)
        if record is None:
            return await pages.draw(
                request,
                "log_unanswered.html",
                block="part",
                status=404,
                detail=str(UnknownRecord()),
            )
    else:
        work = surroundings(database, place, limit=AROUND, seconds=settings.search_seconds)
        around = await while_connected(request, work)
        before, record, after = around.before, around.record, around.after
    names = {one.signature_id for one in (*before, record, *after) if one.signature_id}
    async with database.reading(seconds=settings.search_seconds) as session:
        links = await signature_links(session, names)
    return await pages.draw(
        request,
        "log_record.html",
        block="record" if asks_for_part(request) else None,
        row=rows_of([record], log_asked.columns, links)[0],
        told=opened(record, log_asked, links.get(record.signature_id or "")),
        asked=log_asked,
        before=rows_of(before, log_asked.columns, links),
        after=rows_of(after, log_asked.columns, links),
    )


handlers = (show_record,)
