"""`/incidents`: all of them, the one last seen first."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.database import Database
from app.incidents.tables import IncidentStatus
from app.pages.drawing import Pages
from app.query import incident_queries
from app.query.cursors import read_cursor, write_cursor
from app.query.incident_queries import IncidentFilter
from app.shapes import NO_NUL

LINES: Final = 50
_After = Annotated[str, QueryParameter(max_length=200)]
_Choice = Annotated[str, QueryParameter(max_length=20)]
_Name = Annotated[str, QueryParameter(max_length=200, pattern=NO_NUL)]
_KNOWN: Final = {"yes": True, "no": False}


@get("/incidents")
async def list_incidents(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    status: _Choice = "",
    known: _Choice = "",
    service: _Name = "",
    after: _After = "",
) -> Response[str]:
    """A page of incidents; every filter stands in the address."""
    wanted = IncidentFilter(
        status=IncidentStatus(status) if status in set(IncidentStatus) else None,
        service=service.strip() or None,
        known=_KNOWN.get(known),
    )
    place = read_cursor(after) if after else None
    async with database.session() as session:
        found = await incident_queries.list_incidents(session, wanted, after=place, limit=LINES + 1)
    page = found[:LINES]
    more = len(found) > LINES
    return await pages.draw(
        request,
        "incidents.html",
        incidents=page,
        statuses=[one.value for one in IncidentStatus],
        chosen={"status": status, "known": known, "service": service},
        after=after,
        next=write_cursor(page[-1].last_seen, page[-1].incident_id) if more else None,
    )


handlers = (list_incidents,)
