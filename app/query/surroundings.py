"""What a log record's instance logged before and after it, whatever was searched for."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database
from app.errors import NotFound
from app.query import log_queries as queries
from app.query.log_cursors import Place
from app.query.log_views import ContextView, LogView
from app.query.slices import Span, cut_oldest
from app.query.walking import walk

CONTEXT_REACH: Final = timedelta(days=1)


class UnknownRecord(NotFound):
    """No log record has these three: correlation_id, occurred_at, record_id."""


async def surroundings(
    database: Database, place: Place, *, limit: int, seconds: float
) -> ContextView:
    """What the record's instance logged within a day around it. Raises `UnknownRecord`."""
    async with database.reading(seconds=seconds) as session:
        record = await queries.one_record(session, place)
    if record is None:
        raise UnknownRecord
    return ContextView(
        before=tuple(reversed(await _older(database, record, limit, seconds))),
        record=record,
        after=tuple(await _newer(database, record, limit, seconds)),
    )


async def _older(database: Database, record: LogView, limit: int, seconds: float) -> list[LogView]:
    until = record.occurred_at + timedelta(microseconds=1)
    found: list[LogView] = []

    async def fetch(session: AsyncSession, span: Span) -> list[LogView]:
        return await queries.older_beside(session, record, span, limit=limit - len(found))

    walking = walk(
        database, Span(since=until - CONTEXT_REACH, until=until), fetch, seconds=seconds / 2
    )
    return await _collected(walking, found, limit)


async def _newer(database: Database, record: LogView, limit: int, seconds: float) -> list[LogView]:
    since = record.occurred_at
    found: list[LogView] = []

    async def fetch(session: AsyncSession, span: Span) -> list[LogView]:
        return await queries.newer_beside(session, record, span, limit=limit - len(found))

    span = Span(since=since, until=since + CONTEXT_REACH)
    walking = walk(database, span, fetch, seconds=seconds / 2, cut=cut_oldest)
    return await _collected(walking, found, limit)


async def _collected(
    walking: AsyncGenerator[tuple[Span, list[LogView]], None], found: list[LogView], limit: int
) -> list[LogView]:
    async with aclosing(walking):
        async for _, records in walking:
            found += records
            if len(found) >= limit:
                break
    return found
