"""What is stored that a search may name: read for those who are writing one."""

from datetime import datetime, timedelta
from typing import Final

from app.database import Database
from app.query import queries, service_queries
from app.query.attributes import flat
from app.query.search.complete import VALUES_OF, Known, Place
from app.query.search.model import Everything
from app.query.searching import Asked, search_page
from app.query.service_queries import Named
from app.query.slices import Span

REACH: Final = timedelta(days=7)
MOST_NAMES: Final = 500
SAMPLE: Final = 100
"""The newest records, whose attributes are offered."""
SECONDS: Final = 3.0
"""Who writes has long written on after that."""


async def known_values(database: Database, place: Place, *, now: datetime) -> Known:
    """Only what may stand at this place. Raises what `Database.reading` does."""
    if place.field in {"attr", "has"}:
        return Known(attributes=await _attributes(database, now))
    kind = VALUES_OF.get(place.field)
    if kind is None:
        return Known()
    async with database.reading(seconds=SECONDS) as session:
        if kind == "issue":
            found = await queries.list_known_issues(session)
            return Known(values={"issue": {one.known_issue_id: one.title for one in found}})
        named = await service_queries.list_names(session, kind, since=now - REACH, limit=MOST_NAMES)
    return Known(values={kind: {one.name: _detail(kind, one) for one in named}})


def _detail(kind: str, named: Named) -> str:
    """What is told beside a name."""
    if kind == "service":
        return f"{named.records:,} records"
    return "" if kind == "environment" else named.service


async def _attributes(database: Database, now: datetime) -> tuple[str, ...]:
    span = Span(since=now - REACH, until=now + timedelta(minutes=5))
    asked = Asked(search=Everything(), span=span, seconds=SECONDS)
    page = await search_page(database, asked, after=None, limit=SAMPLE)
    return tuple(sorted({name for record in page.records for name, _ in flat(record.attributes)}))
