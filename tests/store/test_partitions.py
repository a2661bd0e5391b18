from datetime import UTC, date, datetime

import asyncpg
import pytest

from app.normalise.context import Context
from app.store.ingest import prepare
from app.store.partitions import days_to_hold, make_partitions
from app.store.writer import write_batch

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)


def test_yesterday_today_and_the_days_ahead_are_held() -> None:
    assert days_to_hold(date(2026, 12, 31), ahead=2) == [
        date(2026, 12, 30),
        date(2026, 12, 31),
        date(2027, 1, 1),
        date(2027, 1, 2),
    ]


async def test_partitions_are_made_once(connection: asyncpg.Connection) -> None:
    first = await make_partitions(connection, now=NOW, ahead=2)
    again = await make_partitions(connection, now=NOW, ahead=2)

    assert first == [f"log_records_202611{day}" for day in (19, 20, 21, 22)]
    assert again == []


async def test_rows_of_the_default_partition_move_into_their_day(
    connection: asyncpg.Connection,
) -> None:
    batch, _ = prepare(
        [{"service": "s", "message": "m", "timestamp": NOW.isoformat()}], Context(received_at=NOW)
    )
    await write_batch(connection, batch)
    assert await connection.fetchval("SELECT count(*) FROM log_records_default") == 1

    await make_partitions(connection, now=NOW, ahead=1)

    assert await connection.fetchval("SELECT count(*) FROM log_records_default") == 0
    assert await connection.fetchval("SELECT count(*) FROM log_records_20261120") == 1
