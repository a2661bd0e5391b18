"""Every statement that a search makes, by name. Read-only."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    any_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.tables import matches
from app.normalise.record import Severity
from app.query.log_cursors import Place
from app.query.log_views import LogView
from app.query.rows import view
from app.query.search import Search, condition_of
from app.query.search.conditions import value_at
from app.query.slices import Span
from app.store.tables import log_records, severity

MOST_VALUES: Final = 200
"""Of a field in one slice, by how often they occur; what is rarer is counted without its value."""
Split = Literal["level", "service", "environment", "release", "signature", "known"]
FACETS: Final = ("service", "level", "environment", "release", "instance", "signature")

_r = log_records.c
_KEY = tuple_(_r.occurred_at, _r.record_id, _r.correlation_id)
_FIELDS: Final[dict[str, ColumnElement[Any]]] = {
    "service": _r.service,
    "level": cast(_r.level, Text),
    "environment": _r.environment,
    "release": _r.release,
    "instance": _r.instance,
    "signature": _r.signature_id,
}
_IS_KNOWN = _r.signature_id == any_(
    func.array(
        select(matches.c.signature_id)
        .where(matches.c.known_issue_id.is_not(None))
        .scalar_subquery()
    )
)
_IS_ERROR = _r.level >= literal(Severity.ERROR, severity)


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
    search: Search, span: Span, *, start: datetime, seconds: int, split: Split | None
) -> Select[Any]:
    """Bucket, counted from `start`; value; how many. Rare values share one row, without theirs."""
    bucket = cast(func.floor(func.extract("epoch", _r.occurred_at - start) / seconds), Integer)
    value, condition = _split(split)
    counted = (
        select(bucket.label("bucket"), value.label("value"), func.count().label("records"))
        .select_from(log_records)
        .where(*_bounds(span), condition_of(search), *condition)
        .group_by("bucket", "value")
        .cte("counted")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    if split is None:
        return select(counted.c.bucket, counted.c.value, counted.c.records, literal(True))
    frequent = (
        select(counted.c.value)
        .group_by(counted.c.value)
        .order_by(func.sum(counted.c.records).desc(), counted.c.value)
        .limit(MOST_VALUES)
        .subquery()
    )
    is_frequent = counted.c.value.in_(select(frequent.c.value))
    said = case((is_frequent, counted.c.value))
    return select(counted.c.bucket, said, func.sum(counted.c.records), is_frequent).group_by(
        counted.c.bucket, said, is_frequent
    )


def _split(split: Split | None) -> tuple[ColumnElement[Any], list[ColumnElement[bool]]]:
    """The value, and which records have one at all: only errors are known or unknown."""
    if split is None:
        return cast(null(), Text), []
    if split == "known":
        return case((_IS_KNOWN, "known"), else_="unknown"), [_IS_ERROR]
    return func.coalesce(_FIELDS[split], ""), []


async def counts(
    session: AsyncSession, statement: Select[Any]
) -> list[tuple[int, str | None, int, bool]]:
    """Bucket, value, records, and whether the value is told."""
    rows = await session.execute(statement)
    return [(int(row[0]), row[1], int(row[2]), bool(row[3])) for row in rows]


def facets_of(search: Search, span: Span, *, attributes: Sequence[str]) -> Select[Any]:
    """Place of the field in `FACETS` and the attributes, value, records: one pass for all."""
    # Named in an inner statement: a grouping must repeat an expression with the same parameters.
    named = [_FIELDS[name].label(f"f{n}") for n, name in enumerate(FACETS)]
    named += [value_at(name).label(f"f{len(FACETS) + n}") for n, name in enumerate(attributes)]
    inner = select(*named).where(*_bounds(span), condition_of(search)).subquery()
    columns = list(inner.c)
    # The bit of a column that is grouped by is 0.
    which = func.grouping(*columns)
    counted = (
        select(which.label("which"), *columns, func.count().label("records"))
        .group_by(func.grouping_sets(*(tuple_(column) for column in columns), tuple_()))
        .subquery()
    )
    everything = 2 ** len(columns) - 1
    bits = {everything - 2 ** (len(columns) - 1 - n): n for n in range(len(columns))}
    field = case(bits, value=counted.c.which, else_=-1)
    value = case(
        {bit: counted.c[f"f{n}"] for bit, n in bits.items()}, value=counted.c.which, else_=None
    )
    rank = func.row_number().over(partition_by=counted.c.which, order_by=counted.c.records.desc())
    ranked = select(
        field.label("field"), value.label("value"), counted.c.records, rank.label("rank")
    ).subquery()
    return select(ranked.c.field, ranked.c.value, ranked.c.records).where(
        ranked.c.rank <= MOST_VALUES
    )


async def facets(
    session: AsyncSession, statement: Select[Any]
) -> list[tuple[int, str | None, int]]:
    """Field, value, records; field -1: all records."""
    return [(int(row[0]), row[1], int(row[2])) for row in await session.execute(statement)]


def _within(span: Span) -> Select[Any]:
    return select(log_records).where(*_bounds(span))


def _bounds(span: Span) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _r.occurred_at >= span.since, _r.occurred_at < span.until


def _beside(record: LogView, span: Span) -> Select[Any]:
    return _within(span).where(
        _r.service == record.service, _r.instance.is_not_distinct_from(record.instance)
    )


def _place_of(record: LogView) -> Place:
    return record.occurred_at, record.record_id, record.correlation_id


async def _views(session: AsyncSession, query: Select[Any]) -> list[LogView]:
    return [view(row, LogView) for row in (await session.execute(query)).mappings()]
