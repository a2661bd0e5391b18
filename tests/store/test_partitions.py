import asyncio
from datetime import UTC, date, datetime

import asyncpg
import pytest

from app.database import asyncpg_dsn
from app.normalise.context import Context
from app.normalise.record import Refused
from app.store.batch import SignedRecord
from app.store.ingest import prepare
from app.store.partitions import PATIENT, days_to_hold, make_days, make_partitions
from app.store.queries import LOCK_COUNTS
from app.store.writer import write_batch

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
WAITING = """
    SELECT EXISTS (
        SELECT FROM pg_locks WHERE relation = 'log_records_default'::regclass AND NOT granted
    )
"""


def prepare_one() -> tuple[list[SignedRecord], list[Refused]]:
    raw = [{"service": "s", "message": "m", "timestamp": NOW.isoformat()}]
    return prepare(raw, Context(received_at=NOW))


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


async def test_partitions_are_made_while_records_come_in(database_url: str) -> None:
    writer, maker = [await asyncpg.connect(asyncpg_dsn(database_url)) for _ in range(2)]
    made = asyncio.Event()

    async def write() -> int:
        stored = 0
        while not made.is_set():
            batch, _ = prepare_one()
            stored += (await write_batch(writer, batch)).stored
        return stored

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.05)
    await make_partitions(maker, now=NOW, ahead=5)
    made.set()
    stored = await writing

    assert await maker.fetchval("SELECT count(*) FROM log_records") == stored
    assert await maker.fetchval("SELECT count(*) FROM log_records_default") == 0
    await writer.close()
    await maker.close()


async def test_rows_of_the_default_partition_move_into_their_day(
    connection: asyncpg.Connection,
) -> None:
    batch, _ = prepare_one()
    await write_batch(connection, batch)
    assert await connection.fetchval("SELECT count(*) FROM log_records_default") == 1

    await make_partitions(connection, now=NOW, ahead=1)

    assert await connection.fetchval("SELECT count(*) FROM log_records_default") == 0
    assert await connection.fetchval("SELECT count(*) FROM log_records_20261120") == 1


async def test_records_are_counted_and_forgotten_while_rows_are_copied_into_their_day(
    connection: asyncpg.Connection, database_url: str
) -> None:
    await connection.execute(
        "INSERT INTO counted_until (name, snapshot, taken_at)"
        " VALUES ('services', pg_current_snapshot()::text, now())"
    )
    maker = await asyncpg.connect(asyncpg_dsn(database_url))
    async with connection.transaction():
        await connection.execute("LOCK TABLE log_records_default IN ACCESS EXCLUSIVE MODE")
        making = asyncio.create_task(make_days(maker, [NOW.date()], PATIENT))
        async with asyncio.timeout(20):
            while not await connection.fetchval(WAITING):  # noqa: ASYNC110 - for the server
                await asyncio.sleep(0.01)

        await connection.execute(f"{LOCK_COUNTS} NOWAIT")

    assert [made.name for made in await making] == ["log_records_20261120"]
    await maker.close()
