"""`/logs/completion`: what may be written next in the search box."""

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.database import Database, ReadersBusy, TookTooLong
from app.pages.headers import PRIVATE
from app.query.completing import known_values
from app.query.search.complete import Known, Suggestion, place_at, suggestions
from app.query.walking import SearchTooSlow

_LATE: Final = (ReadersBusy, TookTooLong, SearchTooSlow)


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    start: int
    """What is replaced, from here …"""
    end: int
    """… to here."""
    suggestions: tuple[Suggestion, ...]


@get("/logs/completion", response_headers=PRIVATE)
async def complete_search(
    database: NamedDependency[Database],
    q: Annotated[str, QueryParameter(max_length=20_000)] = "",
    caret: Annotated[int, QueryParameter(ge=0, le=20_000)] = 0,
) -> Completion:
    """Nothing, when the database has no time for it: the search can be written without."""
    place = place_at(q, caret)
    try:
        known = await known_values(database, place, now=datetime.now(UTC))
    except _LATE:
        known = Known()
    return Completion(
        start=place.start, end=place.end, suggestions=tuple(suggestions(place, known))
    )


handlers = (complete_search,)
