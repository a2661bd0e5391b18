"""Why a search may have found nothing: a name in it that no record ever bore."""

import asyncio
import difflib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from math import ceil
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database, DatabaseUnavailable, ReadersBusy, TookTooLong
from app.query import queries, service_queries
from app.query.log_views import LogPage
from app.query.search import Search
from app.query.search.model import And, Column, Field, Issue, Or
from app.query.searching import Asked
from app.store.counting import KEPT_DAYS

REACH: Final = timedelta(days=7)
MOST_NAMES: Final = 500
FRESH: Final = timedelta(minutes=1)
SECONDS: Final = 1.0
"""A hint is not waited for."""
_LONGEST: Final = 100
_KINDS: Final = {
    Column.SERVICE: "service",
    Column.ENVIRONMENT: "environment",
    Column.RELEASE: "release",
}
_ISSUE: Final = "issue"


class Name(msgspec.Struct, frozen=True, kw_only=True):
    """A whole name that a search asks for."""

    kind: str
    """service, environment, release or issue."""
    value: str


def names_in(search: Search) -> tuple[Name, ...]:
    """In their order, each once; what is asked not to be is none, nor the beginning of a name."""
    return tuple(dict.fromkeys(_names(search)))


def _names(search: Search) -> Iterator[Name]:
    if isinstance(search, And | Or):
        for part in search.parts:
            yield from _names(part)
    if isinstance(search, Field) and search.column in _KINDS and not search.is_prefix:
        yield Name(kind=_KINDS[search.column], value=search.value)
    if isinstance(search, Issue):
        yield Name(kind=_ISSUE, value=search.known_issue_id)


def hint_of(name: Name, known: Iterable[str], *, reach: timedelta) -> str | None:
    """None when the name is known. `reach` is how far back it was looked for."""
    known = tuple(known)
    if name.value in known:
        return None
    written = name.value if len(name.value) <= _LONGEST else f"{name.value[:_LONGEST]}…"
    told = f"no {name.kind} `{written}` was heard of in {ceil(reach / timedelta(days=1)):,} days"
    if name.kind == _ISSUE:
        told = f"there is no known issue `{written}`"
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.value[:_LONGEST].lower(), by_lower, n=1)
    return f"{told}; did you mean `{by_lower[near[0]]}`?" if near else told


async def with_hint(database: Database, asked: Asked, page: LogPage, *, now: datetime) -> LogPage:
    """The same page; where nothing was found, with what is known of the names asked for."""
    if page.records:
        return page
    return msgspec.structs.replace(page, hint=await _hint(database, asked, now=now))


async def _hint(database: Database, asked: Asked, *, now: datetime) -> str | None:
    """Of the first name that nobody bore; None also when that is not known in time."""
    names = names_in(asked.search)
    if not names:
        return None
    since = max(min(asked.span.since, now - REACH), now - timedelta(days=KEPT_DAYS))
    known: dict[str, tuple[str, ...] | None] = {}
    try:
        async with asyncio.timeout(SECONDS), database.reading(seconds=SECONDS) as session:
            for name in names:
                if name.kind not in known:
                    known[name.kind] = await _known(session, name.kind, since, now)
                listed = known[name.kind]
                if listed is not None and (hint := hint_of(name, listed, reach=now - since)):
                    return hint
    except (TimeoutError, TookTooLong, ReadersBusy, DatabaseUnavailable):
        return None
    return None


async def _known(
    session: AsyncSession, kind: str, since: datetime, now: datetime
) -> tuple[str, ...] | None:
    """None: there are too many to tell, or what came lately is not counted yet."""
    if kind == _ISSUE:
        return tuple(one.known_issue_id for one in await queries.list_known_issues(session))
    counted = await service_queries.counted_until(session)
    if counted is None or counted < now - FRESH:
        return None
    found = await service_queries.list_names(session, kind, since=since, limit=MOST_NAMES)
    return tuple(one.name for one in found) if len(found) < MOST_NAMES else None
