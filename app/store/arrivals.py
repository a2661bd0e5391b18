"""What came since a moment, in the order in which transactions ended.

Transactions end in another order than they begin: a record committed now may have been received
before others that were seen long ago. So a moment is a snapshot (`pg_current_snapshot()`), and new
is whose transaction that snapshot did not hold: nothing is lost and nothing comes twice, whatever
the clocks say. (A savepoint is a transaction to `xmin` and none to a snapshot: writers have none.)
`received_at` only narrows where to look, by a BRIN index: to the last seconds, and
to what a transaction said it brings from before them (`late_arrivals`).
https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from app.normalise.record import LogRecord
from app.settings import Settings

LATE_AFTER: Final = timedelta(seconds=1)
"""Older records are announced by the transaction that stores them."""
CLOCKS_APART: Final = timedelta(seconds=2)
"""So far a replica's clock may be behind that of the database."""
MOST_UNDER_WAY: Final = 10_000
_SNAPSHOT: Final = re.compile(r"(\d{1,19}):(\d{1,19}):((?:\d{1,19}(?:,\d{1,19})*)?)")
_LARGEST: Final = 2**63 - 1


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of the database: which transactions had ended, and when it was taken."""

    oldest: int
    """All transactions before this one had ended."""
    following: int
    """None from this one on had begun to write."""
    under_way: tuple[int, ...]
    """Those between that had not ended."""
    taken_at: datetime

    def __str__(self) -> str:
        names = ",".join(map(str, self.under_way))
        return f"{self.oldest}:{self.following}:{names}"


def read_moment(snapshot: str, taken_at: datetime) -> Moment:
    """From PostgreSQL's text of a snapshot. Raises `ValueError` when it is none."""
    found = _SNAPSHOT.fullmatch(snapshot)
    if found is None:
        raise ValueError("this is no snapshot")
    oldest, following = int(found[1]), int(found[2])
    under_way = tuple(int(name) for name in found[3].split(",") if name)
    is_sound = 0 < oldest <= following <= _LARGEST and len(under_way) <= MOST_UNDER_WAY
    if not is_sound or any(not oldest <= name < following for name in under_way):
        raise ValueError("this is no snapshot")
    return Moment(oldest=oldest, following=following, under_way=under_way, taken_at=taken_at)


def look_back(settings: Settings) -> timedelta:
    """How long before a snapshot a record may have been received that it does not hold.

    Unannounced ones are at most `LATE_AFTER` old when they are written, and then the transaction
    ends within the patience of its process.
    """
    return LATE_AFTER + timedelta(seconds=settings.spool_after_seconds) + CLOCKS_APART


def span_of_late(
    records: Iterable[LogRecord], *, now: datetime
) -> tuple[datetime, datetime] | None:
    """When the first and last of them were received, if any was received long before `now`."""
    times = [record.received_at for record in records]
    if not times or now - min(times) <= LATE_AFTER:
        return None
    return min(times), max(times)


NOW: Final = "SELECT pg_current_snapshot()::text AS snapshot, clock_timestamp() AS taken_at"
# The planner knows nothing of what was stored since its last look, and would read it all.
PLAN: Final = "SELECT set_config('enable_seqscan', 'off', true)"

# `xmin` is a column of each row: the transaction that wrote it, modulo 2^32. Its distance to the
# oldest one under way is small for new rows, and wraps around to above 2^31 for older ones.
_DISTANCE: Final = "((log_records.xmin::text::bigint - :{0}oldest) & 4294967295)"
_AFTER: Final = f"""(
    {_DISTANCE} BETWEEN :{{0}}reach AND 2147483647
    OR {_DISTANCE} = ANY(CAST(:{{0}}under_way AS bigint[]))
)"""
_LATE: Final = """(
    SELECT {0} FROM late_arrivals
    WHERE transaction_id >= :oldest AND (
        transaction_id >= :oldest + :reach
        OR transaction_id - :oldest = ANY(CAST(:under_way AS bigint[]))
    )
)"""
CAME_SINCE: Final = f"""(
    log_records.received_at >= CAST(:since AS timestamptz)
    OR log_records.received_at BETWEEN {_LATE.format("min(first_received_at)")}
        AND {_LATE.format("max(last_received_at)")}
) AND {_AFTER.format("")}"""
"""Condition on `log_records`; its parameters are those of `since`."""
HELD_BY: Final = f"NOT {_AFTER.format('until_')}"
"""Condition on rows that meet `CAME_SINCE`; its parameters are those of `until`."""


def since(moment: Moment, look_back: timedelta) -> dict[str, Any]:
    """The parameters of `CAME_SINCE`."""
    return {"since": moment.taken_at - look_back, **_bound(moment, "")}


def until(moment: Moment) -> dict[str, Any]:
    """The parameters of `HELD_BY`."""
    return _bound(moment, "until_")


def _bound(moment: Moment, prefix: str) -> dict[str, Any]:
    return {
        f"{prefix}oldest": moment.oldest,
        f"{prefix}reach": moment.following - moment.oldest,
        f"{prefix}under_way": [name - moment.oldest for name in moment.under_way],
    }
