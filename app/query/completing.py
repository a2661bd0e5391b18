"""What is stored that a search may name: read for those who are writing one."""

from datetime import datetime, timedelta
from typing import Final

from app.database import Database
from app.query import queries, service_queries
from app.query.list_views import ServiceView
from app.query.search.complete import VALUES_OF, Known, Place
from app.query.search.model import Everything
from app.query.searching import Asked, search_page
from app.query.slices import Span

REACH: Final = timedelta(days=7)
MOST_SERVICES: Final = 500
SAMPLE: Final = 100
"""The newest records, whose attributes are offered."""
SECONDS: Final = 1.0


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
        services = await service_queries.list_services(
            session, environment=None, since=now - REACH, now=now, after="", limit=MOST_SERVICES
        )
    return Known(values={kind: _values_of(kind, services)})


def _values_of(kind: str, services: list[ServiceView]) -> dict[str, str]:
    if kind == "service":
        return {one.service: f"{one.records:,} records" for one in services}
    if kind == "environment":
        return dict.fromkeys(sorted({name for one in services for name in one.environments}), "")
    parts = [
        (part.last_seen, part.name, one.service)
        for one in services
        for part in (one.releases if kind == "release" else one.instances)
    ]
    return {name: service for _, name, service in sorted(parts, reverse=True)}


async def _attributes(database: Database, now: datetime) -> tuple[str, ...]:
    span = Span(since=now - REACH, until=now + timedelta(minutes=5))
    asked = Asked(search=Everything(), span=span, seconds=SECONDS)
    page = await search_page(database, asked, after=None, limit=SAMPLE)
    return tuple(sorted({name for record in page.records for name in record.attributes}))
