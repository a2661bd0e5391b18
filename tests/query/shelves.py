"""Log records on closed partitions with text indexes and on a hot one, for tests of the search."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.store.partitions import PATIENT, Partition, make_days, partition_name
from app.store.queries import MARK_LATE, PLAIN_COLUMNS
from app.store.text_index import SETTLED_AFTER, build_index, build_window

NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
CLOSED: Final = NOW - timedelta(days=2)
HOT: Final = NOW - timedelta(hours=3)
INDEXED: Final = HOT + timedelta(minutes=5)
"""So far the hot day has a text index."""


async def make_shelves(connection: asyncpg.Connection) -> None:
    """Partitions of NOW's day and the three before it."""
    days = [(NOW - timedelta(days=n)).date() for n in range(4)]
    await make_days(connection, days, PATIENT)


async def close_shelves(connection: asyncpg.Connection, *, window_rows: int = 50) -> None:
    """Text indexes for all days but the newest; of that for a window, if it holds so many rows."""
    for n in (1, 2, 3):
        assert await build_index(connection, partition_name((NOW - timedelta(days=n)).date()))
    newest = Partition(name=partition_name(NOW.date()))
    now = INDEXED + SETTLED_AFTER
    await build_window(connection, newest, now=now, least_rows=window_rows)
    await connection.execute("ANALYZE log_records")


def row(number: int, moment: datetime, **fields: Any) -> dict[str, Any]:
    return {
        "correlation_id": f"c-{number % 7}",
        "occurred_at": moment,
        "record_id": UUID(int=number),
        "received_at": moment,
        "service": "payment",
        "level": "INFO",
        "message": f"message {number}",
        "attributes": {},
        **fields,
    }


async def put(connection: asyncpg.Connection, *rows: dict[str, Any]) -> None:
    lines = [
        tuple(
            json.dumps(one[name])
            if name in {"attributes", "exception"} and name in one
            else one.get(name)
            for name in PLAIN_COLUMNS
        )
        for one in rows
    ]
    arrivals = [one["received_at"] for one in rows]
    async with connection.transaction():
        # As whoever stores what was received long ago.
        await connection.execute(MARK_LATE, min(arrivals), max(arrivals))
        await connection.copy_records_to_table("log_records", records=lines, columns=PLAIN_COLUMNS)
