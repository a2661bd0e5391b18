"""A search over a span of time: pages and counts, in bounded time."""

from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final, TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database
from app.query import log_queries as queries
from app.query.buckets import bucket_width, start_of, starts_of
from app.query.counted import is_held, usable_grains
from app.query.counted_queries import (
    LOCK_PARTITIONS,
    Source,
    counts_and_rest,
    every_record,
    read_whole,
)
from app.query.log_cursors import Cursor, write_log_cursor
from app.query.log_queries import FACETS, Split
from app.query.log_views import (
    BucketView,
    FacetsView,
    FacetValue,
    HistogramView,
    LogPage,
    LogView,
)
from app.query.search import Search, to_text
from app.query.search.model import And, Attribute, Column, Field, Or, Words
from app.query.slices import FIRST_WIDTH, Span
from app.query.walking import Marks, walk
from app.store.count_queries import GRAINS

COUNTED_WIDTH: Final = timedelta(hours=6)
_Row = TypeVar("_Row")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A search, over which time, and how long it may take."""

    search: Search
    span: Span
    seconds: float


def first_width(search: Search, span: Span) -> timedelta:
    """The whole span where an index leads to what is wanted whatever the time, else a little."""
    parts = search.parts if isinstance(search, And) else (search,)
    is_pinned = any(
        isinstance(part, Field) and part.column is Column.CORRELATION and not part.is_prefix
        for part in parts
    )
    return span.length if is_pinned else FIRST_WIDTH


def marks_for(search: Search) -> Marks | None:
    """What is found by a text index is read window by window: each has one of its own."""
    match search:
        case And() | Or():
            return next(filter(None, map(marks_for, search.parts)), None)
        case Words() | Attribute():
            return queries.window_bounds
        case _:
            return None


async def search_page(
    database: Database,
    asked: Asked,
    *,
    after: Cursor | None,
    limit: int,
    width: timedelta | None = None,
) -> LogPage:
    """The newest records, or those behind the cursor. Raises what `walk` does.

    `width` is that of the first slice, when it is known where about the page will end.
    """
    place = after.place if after else None
    rest = after.rest if after else asked.span
    records: list[LogView] = []
    reached = rest.until

    async def fetch(session: AsyncSession, span: Span) -> list[LogView]:
        wanted = limit + 1 - len(records)
        return await queries.newest(session, asked.search, span, before=place, limit=wanted)

    width = width or first_width(asked.search, rest)
    walking = walk(
        database, rest, fetch, seconds=asked.seconds, width=width, marks=marks_for(asked.search)
    )
    async with aclosing(walking):
        async for span, found in walking:
            records += found
            reached = span.since
            if len(records) > limit:
                break
    full = len(records) > limit
    stopped = None if full or reached <= rest.since else reached
    page = records[:limit]
    return LogPage(
        query=to_text(asked.search),
        since=asked.span.since,
        until=asked.span.until,
        stopped_at=stopped,
        records=tuple(page),
        next=_next(asked, page[-1] if full else None, stopped),
    )


def _next(asked: Asked, last: LogView | None, stopped: datetime | None) -> str | None:
    moment = last.occurred_at if last else stopped
    if moment is None:
        return None
    cursor = Cursor(
        since=asked.span.since,
        until=asked.span.until,
        moment=moment,
        record_id=last.record_id if last else None,
        correlation_id=last.correlation_id if last else None,
    )
    return write_log_cursor(cursor, to_text(asked.search))


async def histogram(
    database: Database, asked: Asked, *, split: Split | None, most: int, top: int
) -> HistogramView:
    """Counts by time and, when asked for, by the most frequent values of a field."""
    width = bucket_width(asked.span, most=most)
    start = start_of(asked.span.since, width)
    grains = usable_grains(start, width) if is_held(asked.search) else ()
    counted: dict[datetime, Counter[str | None]] = defaultdict(Counter)

    async def fetch(
        session: AsyncSession, source: Source
    ) -> list[tuple[datetime, str | None, int, bool]]:
        statement = queries.counts_of(source, start=start, width=width, split=split)
        return await queries.counts(session, statement, source.parameters)

    reached = asked.span.until
    walking = _counting(database, asked, fetch, grains)
    async for span, found in walking:
        reached = span.since
        for bucket, value, records, is_told in found:
            counted[bucket][value if is_told else None] += records
    totals = sum(counted.values(), Counter[str | None]())
    values = () if split is None else _frequent(totals, top)
    return HistogramView(
        query=to_text(asked.search),
        since=asked.span.since,
        until=asked.span.until,
        stopped_at=None if reached <= asked.span.since else reached,
        bucket_seconds=int(width.total_seconds()),
        split=split,
        values=values,
        total=totals.total(),
        buckets=tuple(
            _bucket(moment, counted[moment], values)
            for moment in starts_of(asked.span, width)
            if moment + min(width, asked.span.until - moment) > reached
        ),
    )


async def _counting(
    database: Database,
    asked: Asked,
    fetch: Callable[[AsyncSession, Source], Awaitable[list[_Row]]],
    grains: tuple[int, ...],
) -> AsyncGenerator[tuple[Span, list[_Row]], None]:
    """From counts of these seconds, if any, all in one slice; from the records, slice by slice."""

    async def fetch_slice(session: AsyncSession, span: Span) -> list[_Row]:
        if grains:
            source = await counts_and_rest(session, asked.search, span, grains)
        else:
            source = every_record(asked.search, span)
        return await fetch(session, source)

    marks = marks_for(asked.search)
    width = FIRST_WIDTH if marks else COUNTED_WIDTH
    if grains:
        async with database.reading(seconds=asked.seconds) as session:
            whole = await read_whole(session, asked.span)
        if whole and whole.parts == (asked.span,):
            width = asked.span.length
    walking = walk(
        database, asked.span, fetch_slice, seconds=asked.seconds, width=width,
        marks=marks, locking=LOCK_PARTITIONS if grains else None,
    )  # fmt: skip
    async with aclosing(walking):
        async for found in walking:
            yield found


def _frequent(totals: Counter[str | None], top: int) -> tuple[str, ...]:
    told = [(value, count) for value, count in totals.items() if value is not None]
    return tuple(value for value, _ in sorted(told, key=lambda one: (-one[1], one[0]))[:top])


def _bucket(start: datetime, counts: Counter[str | None], values: Sequence[str]) -> BucketView:
    by_value = {value: counts[value] for value in values}
    return BucketView(
        start=start,
        count=counts.total(),
        values=by_value,
        others=counts.total() - sum(by_value.values()) if values else 0,
    )


async def facets(
    database: Database, asked: Asked, *, attributes: Sequence[str], top: int
) -> FacetsView:
    """The most frequent values of each field, and of the attributes that are named."""
    names = (*FACETS, *(f"attr.{name}" for name in attributes))
    counted: dict[int, Counter[str | None]] = defaultdict(Counter)

    async def fetch(session: AsyncSession, source: Source) -> list[tuple[int, str | None, int]]:
        statement = queries.facets_of(source, attributes=attributes)
        return await queries.facets(session, statement, source.parameters)

    reached = asked.span.until
    grains = GRAINS if is_held(asked.search) and not attributes else ()
    walking = _counting(database, asked, fetch, grains)
    async for span, found in walking:
        reached = span.since
        for field, value, records in found:
            counted[field][value] += records
    return FacetsView(
        query=to_text(asked.search),
        since=asked.span.since,
        until=asked.span.until,
        stopped_at=None if reached <= asked.span.since else reached,
        total=counted[-1].total(),
        facets={name: _values_of(name, counted[n], top) for n, name in enumerate(names)},
    )


def _values_of(name: str, counts: Counter[str | None], top: int) -> tuple[FacetValue, ...]:
    # Every record has the fields, if empty; an attribute may be nobody's, and then has no values.
    is_nobodys = name not in FACETS and set(counts) == {None}
    return () if is_nobodys else _top(counts.items(), top)


def _top(counts: Iterable[tuple[str | None, int]], top: int) -> tuple[FacetValue, ...]:
    ordered = sorted(counts, key=lambda one: (-one[1], one[0] is None, one[0] or ""))
    return tuple(FacetValue(value=value, count=count) for value, count in ordered[:top])
