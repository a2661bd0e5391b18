"""`/incidents`: all of them, the one last seen first; every filter stands in the address."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.database import Database
from app.incidents.tables import IncidentStatus
from app.pages.drawing import Pages
from app.query import incident_queries, overview_queries
from app.query.buckets import starts_of
from app.query.cursors import read_cursor, write_cursor
from app.query.failing_queries import errors_by_time
from app.query.incident_queries import IncidentFilter
from app.query.list_handlers import first_hour
from app.query.slices import Span
from app.shapes import NO_NUL

LINES: Final = 50
HOURS: Final = 24
_HOUR: Final = timedelta(hours=1)
_KNOWN: Final = {"yes": True, "no": False}
_After = Annotated[str, QueryParameter(max_length=200)]
_Choice = Annotated[str, QueryParameter(max_length=20)]
_Name = Annotated[str, QueryParameter(max_length=200, pattern=NO_NUL)]


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of the address; what they do not know is no filter."""

    status: str = ""
    known: str = ""
    service: str = ""

    def address(self, **changed: str) -> str:
        """Of the first page with these filters, some of them changed."""
        chosen = {**msgspec.structs.asdict(self), **changed}
        query = urlencode({name: value for name, value in chosen.items() if value})
        return f"/incidents?{query}" if query else "/incidents"

    def wanted(self) -> IncidentFilter:
        return IncidentFilter(
            status=IncidentStatus(self.status) if self.status else None,
            service=self.service or None,
            known=_KNOWN.get(self.known),
        )


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
    """A page of incidents."""
    chosen = Chosen(
        status=status if status in set(IncidentStatus) else "",
        known=known if known in _KNOWN else "",
        service=service.strip(),
    )
    place = read_cursor(after) if after else None
    now = datetime.now(UTC)
    starts = list(starts_of(Span(since=first_hour(now, HOURS), until=now), _HOUR))
    async with database.session() as session:
        found = await incident_queries.list_incidents(
            session, chosen.wanted(), after=place, limit=LINES + 1
        )
        page = found[:LINES]
        ids = [one.incident_id for one in page]
        errors = await errors_by_time(session, ids, starts, _HOUR)
        statuses = await overview_queries.statuses(session)
    last = page[-1] if len(found) > LINES else None
    return await pages.draw(
        request,
        "incidents.html",
        incidents=page,
        errors=errors,
        statuses=statuses,
        chosen=chosen,
        first=chosen.address() if after else None,
        next=chosen.address(after=write_cursor(last.last_seen, last.incident_id)) if last else None,
    )


handlers = (list_incidents,)
