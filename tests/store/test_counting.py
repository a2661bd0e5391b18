"""Counting goes on beside whoever works on the day under way."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import asyncpg
import pytest

from app.database import Database, asyncpg_dsn
from app.settings import Settings
from app.store.counting import Counting
from app.store.partitions import make_partitions, partition_name
from tests.query.shelves import put, row

pytestmark = pytest.mark.anyio
COUNTED = "SELECT coalesce(sum(records), 0)::int FROM service_hours"


async def test_records_are_counted_while_an_index_of_their_day_is_built(
    settings: Settings, connection: asyncpg.Connection, database: Database
) -> None:
    now = datetime.now(UTC)
    await make_partitions(connection, now=now, ahead=1)
    counting = Counting(database, settings)
    await counting.count()
    await put(connection, row(1, now), row(2, now))

    builder = await asyncpg.connect(asyncpg_dsn(settings.database_url))
    async with builder.transaction():
        # As CREATE INDEX CONCURRENTLY holds it.
        day = partition_name(now.date())
        await builder.execute(f"LOCK TABLE {day} IN SHARE UPDATE EXCLUSIVE MODE")
        worker = asyncio.create_task(counting.run())
        counted = await once(connection, 2)
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
    await builder.close()

    assert counted == 2


async def once(connection: asyncpg.Connection, wanted: int) -> int:
    """How many are counted: once it is as many, or after 20 seconds."""
    for _ in range(200):
        if await connection.fetchval(COUNTED) >= wanted:
            break
        await asyncio.sleep(0.1)
    return int(await connection.fetchval(COUNTED))
