"""`/records/…`: one record with all it holds, and what its instance logged around it."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from app.database import Database
from app.pages.chain.telling import tell
from app.pages.drawing import Pages, asks_for_part
from app.query.log_queries import one_record
from app.query.record_place import place_of
from app.query.searching import UnknownRecord, surroundings
from app.settings import Settings

BESIDE: Final = 20


@get("/records/{record_id:uuid}")
async def show_record(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    record_id: FromPath[UUID],
    chain: Annotated[str, QueryParameter(max_length=128)],
    at: Annotated[datetime, QueryParameter()],
) -> Response[str]:
    """The record of this chain and moment; to htmx only what stands inside of it."""
    place = place_of(chain, at, record_id)
    if asks_for_part(request):
        async with database.reading(seconds=settings.search_seconds) as session:
            record = await one_record(session, place)
        if record is None:
            raise UnknownRecord
        return await pages.draw(
            request, "chain/record_body.html", told=tell(record), name=record.correlation_id
        )
    context = await surroundings(database, place, limit=BESIDE, seconds=settings.search_seconds)
    return await pages.draw(
        request, "chain/record.html", context=context, told=tell(context.record)
    )


handlers = (show_record,)
