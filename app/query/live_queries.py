"""Every statement of the live tail, by name."""

from datetime import timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.query.log_views import LogView
from app.query.rows import view
from app.query.search import Search, condition_of
from app.store import arrivals
from app.store.arrivals import CAME_SINCE, HELD_BY, NOW, PLAN, Moment, read_moment
from app.store.tables import log_records

STATEMENT_MS: Final = 3_000
_LIMITED: Final = text("SELECT set_config('statement_timeout', :ms, true)")
_PLAN: Final = text(PLAN)
_NOW: Final = text(NOW)
_ORDER: Final = tuple(
    log_records.c[name] for name in ("received_at", "record_id", "correlation_id", "occurred_at")
)


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """What came since a moment: the newest of it in order, and how many before were left out."""

    moment: Moment
    records: list[LogView]
    left_out: int


async def moment_now(session: AsyncSession) -> Moment:
    """How far the database is."""
    row = (await session.execute(_NOW)).one()
    return read_moment(row.snapshot, row.taken_at)


async def came_since(
    session: AsyncSession,
    search: Search,
    since: Moment,
    *,
    look_back: timedelta,
    most: int,
    until: Moment | None = None,
) -> Came:
    """Records that match and came since, up to now or to a later moment.

    The session must not have been used before: all is read of one snapshot.
    """
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    moment = await moment_now(session)
    await session.execute(_PLAN)
    await session.execute(_LIMITED, {"ms": str(STATEMENT_MS)})
    parameters = arrivals.since(since, look_back)
    if until:
        parameters |= arrivals.until(until)
    query = _query(search, bounded=until is not None).limit(most)
    rows = (await session.execute(query, parameters)).mappings().all()
    total = rows[0]["total"] if rows else 0
    return Came(
        moment=until or moment,
        records=[view(row, LogView) for row in reversed(rows)],
        left_out=total - len(rows),
    )


def _query(search: Search, *, bounded: bool) -> Any:
    """The newest first.

    What came is taken first, under the name of the table, and OFFSET keeps the planner from
    looking for the search in all there is.
    """
    condition = f"{CAME_SINCE} AND {HELD_BY}" if bounded else CAME_SINCE
    statement = text(f"SELECT * FROM log_records WHERE {condition} OFFSET 0")  # noqa: S608
    came = statement.columns(*log_records.c).cte("log_records")
    return (
        select(log_records, func.count().over().label("total"))
        .add_cte(came)
        .where(condition_of(search))
        .order_by(*(column.desc() for column in _ORDER))
    )
