"""Rows to count: records one by one, or counts with what came since them. Read-only."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    and_,
    func,
    literal,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.sql.visitors import replacement_traverse

from app.query.counted import Cover, cover_of
from app.query.search import Search, condition_of
from app.query.slices import Span
from app.store.arrivals import CAME_SINCE, PLAN, Moment, read_moment, since
from app.store.count_queries import GRAINS
from app.store.tables import log_records, record_counts, record_kinds

_r = log_records.c
_HELD: Final = ("service", "level", "environment", "release", "instance", "signature_id")
# Workers take longer to start than counts to be read, and the records' writers need them more.
_PLAN: Final = text(PLAN)
# In the way of a partition that is attached or detached, for which both are locked, and of nobody
# else: a statement would read of a day that is gone, or not of rows that moved.
LOCK_PARTITIONS: Final = text(
    "LOCK TABLE ONLY log_records, ONLY log_records_default IN ACCESS SHARE MODE"
)
_READ: Final = text("""
    SELECT snapshot, taken_at, look_back, lower(part) AS since, upper(part) AS until
    FROM counted_until
    CROSS JOIN unnest(whole * tstzmultirange(tstzrange(
        CAST(:since AS timestamptz), CAST(:until AS timestamptz)
    ))) AS part
    WHERE name = 'services'
""")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What to count: rows with the columns of records.

    Where they have one more, `records`, each stands for so many.
    """

    rows: FromClause
    where: tuple[ColumnElement[bool], ...] = ()
    parameters: dict[str, Any] = {}


def how_many(rows: FromClause) -> ColumnElement[int]:
    """Of the records that rows stand for."""
    return func.sum(rows.c.records) if "records" in rows.c else func.count()


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a span whose counts are whole, up to a moment."""

    moment: Moment
    look_back: timedelta
    parts: tuple[Span, ...]


def every_record(search: Search, span: Span) -> Source:
    """Each record of its own."""
    return Source(
        rows=log_records,
        where=(_r.occurred_at >= span.since, _r.occurred_at < span.until, condition_of(search)),
    )


async def read_whole(session: AsyncSession, span: Span) -> Whole | None:
    """None where nothing of the span is counted."""
    rows = (await session.execute(_READ, {"since": span.since, "until": span.until})).all()
    if not rows:
        return None
    return Whole(
        moment=read_moment(rows[0].snapshot, rows[0].taken_at),
        look_back=rows[0].look_back,
        # The driver takes the first moment of the year 1 for -infinity, which has no zone to it.
        parts=tuple(
            Span(
                since=row.since if row.since.tzinfo else span.since,
                until=row.until if row.until.tzinfo else span.until,
            )
            for row in rows
        ),
    )


async def counts_and_rest(
    session: AsyncSession, search: Search, span: Span, grains: tuple[int, ...] = GRAINS
) -> Source:
    """Counts where there are any, and the records that they do not hold.

    All of one moment, so the session must read of one, behind `LOCK_PARTITIONS`. The search
    is one that counts hold.
    """
    whole = await read_whole(session, span)
    cover = cover_of(span, whole.parts if whole else (), grains)
    if whole is None or not cover.counted:
        return every_record(search, span)
    await session.execute(_PLAN)
    condition = condition_of(search)
    parts = [_counts(cover, condition), _came_since(cover, condition)]
    if cover.scanned:
        parts.append(_records(cover.scanned, condition))
    rows = union_all(*parts).subquery("counted_rows")
    came = since(whole.moment, whole.look_back)
    return Source(rows=rows, parameters=came)


def _counts(cover: Cover, condition: ColumnElement[bool]) -> Select[Any]:
    count, kind = record_counts.c, record_kinds.c
    times = or_(
        *(
            and_(count.seconds == seconds, count.start >= span.since, count.start < span.until)
            for seconds, span in cover.counted
        )
    )
    return (
        select(count.start.label("occurred_at"), *(kind[name] for name in _HELD), count.records)
        .join_from(record_counts, record_kinds, count.kind_id == kind.kind_id)
        .where(times, _of_kinds(condition))
    )


def _of_kinds(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    def replaced(element: Any, **_: Any) -> Any:
        is_ours = isinstance(element, ColumnClause) and element.table is log_records
        return record_kinds.c[element.name] if is_ours else None

    return replacement_traverse(condition, {}, replaced)


def _came_since(cover: Cover, condition: ColumnElement[bool]) -> Select[Any]:
    """Where counts are read; elsewhere each record is read anyway."""
    spans: list[Span] = []
    for _, span in cover.counted:
        begins = spans.pop().since if spans and spans[-1].until == span.since else span.since
        spans.append(Span(since=begins, until=span.until))
    return _records(spans, condition).where(text(CAME_SINCE))


def _records(spans: Iterable[Span], condition: ColumnElement[bool]) -> Select[Any]:
    times = or_(*(and_(_r.occurred_at >= one.since, _r.occurred_at < one.until) for one in spans))
    columns = (_r[name] for name in _HELD)
    return select(_r.occurred_at, *columns, literal(1, BigInteger).label("records")).where(
        times, condition
    )
