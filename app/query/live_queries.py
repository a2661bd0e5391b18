"""Every statement of the live tail, by name."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Select,
    and_,
    any_,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncSession

from app.query.log_views import LogView
from app.query.rows import view
from app.query.search import Search, condition_of
from app.store import arrivals
from app.store.arrivals import CAME_SINCE, HELD_BY, NOW, PLAN, Moment, read_moment
from app.store.tables import log_records

_NOW: Final = text(NOW)
# One way to the server and back instead of three: while records come in, each waits its turn.
_BEGIN: Final = text(f"{NOW}, ({PLAN}), set_config('statement_timeout', :ms, true)")
_ORDER: Final = ("received_at", "record_id", "correlation_id", "occurred_at")
_encode: Final = msgspec.json.Encoder().encode


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What came for one search: the newest of it, and how many before that were left out."""

    records: list[bytes]
    """As JSON, in order."""
    left_out: int


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """What came since a moment, for each search that was asked for."""

    moment: Moment
    told: dict[Search, Told]


async def moment_now(session: AsyncSession) -> Moment:
    """How far the database is."""
    row = (await session.execute(_NOW)).one()
    return read_moment(row.snapshot, row.taken_at)


async def came_since(
    session: AsyncSession,
    searches: Sequence[Search],
    since: Moment,
    *,
    look_back: timedelta,
    most: int,
    seconds: float,
    until: Moment | None = None,
) -> Came:
    """Records that match and came since, up to now or to a later moment; for each search so many.

    The session must not have been used before: all is read of one snapshot.
    """
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    begun = (await session.execute(_BEGIN, {"ms": str(int(seconds * 1000))})).one()
    moment = read_moment(begun.snapshot, begun.taken_at)
    parameters = arrivals.since(since, look_back)
    if until:
        parameters |= arrivals.until(until)
    query = _query(searches, most=most, bounded=until is not None)
    rows = (await session.execute(query, parameters)).mappings().all()
    return Came(moment=until or moment, told=_by_search(searches, rows))


def _by_search(searches: Sequence[Search], rows: Sequence[Any]) -> dict[Search, Told]:
    records: list[list[bytes]] = [[] for _ in searches]
    totals = [0] * len(searches)
    for row in rows:
        # Once, however many searches it is told to.
        record = _encode(view(row, LogView))
        for number, total in enumerate(row["totals"]):
            if total is not None:
                records[number].append(record)
                totals[number] = total
    return {
        search: Told(records=found, left_out=total - len(found))
        for search, found, total in zip(searches, records, totals, strict=True)
    }


def _query(searches: Sequence[Search], *, most: int, bounded: bool) -> Select[Any]:
    """In order, each record once; `totals` has for each search that it is told to how many match.

    What came is taken first, under the name of the table, and OFFSET keeps the planner from
    looking for the searches in all there is, and from judging a record twice.
    """
    condition = f"{CAME_SINCE} AND {HELD_BY}" if bounded else CAME_SINCE
    statement = text(f"SELECT * FROM log_records WHERE {condition} OFFSET 0")  # noqa: S608
    came = statement.columns(*log_records.c).cte("log_records")
    hits = cast(array([condition_of(search) for search in searches]), ARRAY(Boolean))
    judged = select(log_records, hits.label("hits")).offset(literal_column("0")).subquery("judged")
    newest = [judged.c[name].desc() for name in _ORDER]
    totals = array([_total(judged.c.hits[n + 1], newest, most) for n in range(len(searches))])
    ranked = (
        select(judged, cast(totals, ARRAY(BigInteger)).label("totals"))
        .where(true() == any_(judged.c.hits))
        .subquery("ranked")
    )
    return (
        select(*(ranked.c[column.name] for column in log_records.c), ranked.c.totals)
        .add_cte(came)
        .where(func.cardinality(func.array_remove(ranked.c.totals, null())) > 0)
        .order_by(*(ranked.c[name] for name in _ORDER))
    )


def _total(hit: ColumnElement[bool], newest: Sequence[Any], most: int) -> ColumnElement[int | None]:
    """How many records match in all, where this one matches and is one of the newest."""
    count = func.count().filter(hit)
    place = count.over(order_by=newest, rows=(None, 0))
    return case((and_(hit, place <= most), count.over()))
