"""Every statement that a search makes, by name. Read-only."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Interval,
    Select,
    Text,
    any_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    text,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.tables import matches
from app.normalise.record import Severity
from app.query.columns import FIELDS
from app.query.counted_queries import Source, how_many
from app.query.log_cursors import Place
from app.query.log_views import LogView
from app.query.rows import view
from app.query.search import Search, condition_of
from app.query.search.conditions import value_at
from app.query.slices import Span
from app.store.tables import log_records, severity
from app.store.text_index import window_of

MOST_VALUES: Final = 200
"""Of a field in one slice, by how often they occur; what is rarer is counted without its value."""
Split = Literal["level", "service", "environment", "release", "signature", "known"]
FACETS: Final = ("service", "level", "environment", "release", "instance", "signature")

_r = log_records.c
_KEY = tuple_(_r.occurred_at, _r.record_id, _r.correlation_id)
_SEARCH_INDEXES: Final = text(r"""
    SELECT relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid
    WHERE relkind = 'i' AND relname LIKE 'log\_records\_%\_search\_%' AND indisvalid
""")
_KNOWN: Final = any_(
    func.array(
        select(matches.c.signature_id)
        .where(matches.c.known_issue_id.is_not(None))
        .scalar_subquery()
    )
)


async def window_bounds(session: AsyncSession) -> tuple[datetime, ...]:
    """Where the windows begin and end that have a text index of their own."""
    names = (await session.execute(_SEARCH_INDEXES)).scalars()
    windows = [window for window in map(window_of, names) if window]
    return tuple(sorted({one for window in windows for one in (window.since, window.until)}))


def newest_of(search: Search, span: Span, *, before: Place | None, limit: int) -> Select[Any]:
    """The statement of a page: its plans are held by tests."""
    query = _within(span).where(condition_of(search))
    if before:
        query = query.where(before > _KEY)
    return query.order_by(
        _r.occurred_at.desc(), _r.record_id.desc(), _r.correlation_id.desc()
    ).limit(limit)


async def newest(
    session: AsyncSession, search: Search, span: Span, *, before: Place | None, limit: int
) -> list[LogView]:
    return await _views(session, newest_of(search, span, before=before, limit=limit))


async def one_record(session: AsyncSession, place: Place) -> LogView | None:
    found = await _views(session, select(log_records).where(_KEY.in_([place])))
    return found[0] if found else None


async def older_beside(
    session: AsyncSession, record: LogView, span: Span, *, limit: int
) -> list[LogView]:
    """What its instance of its service logged before it, newest first."""
    query = _beside(record, span).where(_place_of(record) > _KEY)
    return await _views(
        session,
        query.order_by(_r.occurred_at.desc(), _r.record_id.desc(), _r.correlation_id.desc()).limit(
            limit
        ),
    )


async def newer_beside(
    session: AsyncSession, record: LogView, span: Span, *, limit: int
) -> list[LogView]:
    """And after it, oldest first."""
    query = _beside(record, span).where(_place_of(record) < _KEY)
    return await _views(
        session, query.order_by(_r.occurred_at, _r.record_id, _r.correlation_id).limit(limit)
    )


def counts_of(
    source: Source, *, start: datetime, width: timedelta, split: Split | None
) -> Select[Any]:
    """Edge of a bucket, value, how many, and whether the value is told: rare ones are not."""
    bucket = func.date_bin(literal(width, Interval), source.rows.c.occurred_at, start)
    value, condition = _split(source.rows, split)
    # Texts are made of groups, not of rows: a level's name costs more than counting it.
    counted = (
        select(bucket.label("bucket"), value.label("value"), how_many(source.rows).label("records"))
        .select_from(source.rows)
        .where(*source.where, *condition)
        .group_by("bucket", "value")
        .cte("counted")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    told = func.coalesce(cast(counted.c.value, Text), "")
    if split is None:
        return select(counted.c.bucket, told, counted.c.records, literal(True))
    frequent = (
        select(told.label("value"))
        .group_by(told)
        .order_by(func.sum(counted.c.records).desc(), told)
        .limit(MOST_VALUES)
        .subquery()
    )
    is_frequent = told.in_(select(frequent.c.value))
    named = select(
        counted.c.bucket, case((is_frequent, told)).label("value"), counted.c.records
    ).subquery()
    return select(
        named.c.bucket, named.c.value, func.sum(named.c.records), named.c.value.is_not(None)
    ).group_by(named.c.bucket, named.c.value)


def _split(
    rows: FromClause, split: Split | None
) -> tuple[ColumnElement[Any], list[ColumnElement[bool]]]:
    """The value, and which records have one at all: only errors are known or unknown."""
    if split is None:
        return cast(null(), Text), []
    if split == "known":
        is_error = rows.c.level >= literal(Severity.ERROR, severity)
        return case((rows.c.signature_id == _KNOWN, "known"), else_="unknown"), [is_error]
    return rows.c[FIELDS[split]], []


async def counts(
    session: AsyncSession, statement: Select[Any], parameters: Mapping[str, Any]
) -> list[tuple[datetime, str | None, int, bool]]:
    rows = await session.execute(statement, parameters)
    return [(row[0], row[1], int(row[2]), bool(row[3])) for row in rows]


def facets_of(source: Source, *, attributes: Sequence[str]) -> Select[Any]:
    """Place of the field in `FACETS` and the attributes, value, records: one pass for all.

    Attributes are those of each record: with them, the source is `every_record`.
    """
    # Named in an inner statement: a grouping must repeat an expression with the same parameters.
    named = [source.rows.c[FIELDS[name]].label(f"f{n}") for n, name in enumerate(FACETS)]
    named += [value_at(name).label(f"f{len(FACETS) + n}") for n, name in enumerate(attributes)]
    weights = [c.label("records") for c in source.rows.c if c.name == "records"]
    inner = select(*named, *weights).select_from(source.rows).where(*source.where).subquery()
    columns = [inner.c[f"f{n}"] for n in range(len(named))]
    # The bit of a column that is grouped by is 0.
    which = func.grouping(*columns)
    counted = (
        select(which.label("which"), *columns, how_many(inner).label("records"))
        .group_by(func.grouping_sets(*(tuple_(column) for column in columns), tuple_()))
        .subquery()
    )
    everything = 2 ** len(columns) - 1
    bits = {everything - 2 ** (len(columns) - 1 - n): n for n in range(len(columns))}
    field = case(bits, value=counted.c.which, else_=-1)
    value = case(
        {bit: cast(counted.c[f"f{n}"], Text) for bit, n in bits.items()},
        value=counted.c.which,
        else_=None,
    )
    rank = func.row_number().over(partition_by=counted.c.which, order_by=counted.c.records.desc())
    ranked = select(
        field.label("field"), value.label("value"), counted.c.records, rank.label("rank")
    ).subquery()
    return select(ranked.c.field, ranked.c.value, ranked.c.records).where(
        ranked.c.rank <= MOST_VALUES
    )


async def facets(
    session: AsyncSession, statement: Select[Any], parameters: Mapping[str, Any]
) -> list[tuple[int, str | None, int]]:
    """Field, value, records; field -1: all records."""
    rows = await session.execute(statement, parameters)
    return [(int(row[0]), row[1], int(row[2])) for row in rows if row[2] is not None]


def _within(span: Span) -> Select[Any]:
    return select(log_records).where(_r.occurred_at >= span.since, _r.occurred_at < span.until)


def _beside(record: LogView, span: Span) -> Select[Any]:
    return _within(span).where(
        _r.service == record.service, _r.instance.is_not_distinct_from(record.instance)
    )


def _place_of(record: LogView) -> Place:
    return record.occurred_at, record.record_id, record.correlation_id


async def _views(session: AsyncSession, query: Select[Any]) -> list[LogView]:
    return [view(row, LogView) for row in (await session.execute(query)).mappings()]
