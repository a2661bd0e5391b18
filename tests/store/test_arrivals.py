import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from app.database import Database, asyncpg_dsn
from app.normalise.record import LogRecord, Severity
from app.settings import Settings
from app.store.arrivals import (
    CAME_SINCE,
    HELD_BY,
    NOW,
    PLAN,
    Moment,
    look_back,
    read_moment,
    since,
    span_of_late,
    until,
)
from app.store.batch import signed
from app.store.counting import Counting
from app.store.partitions import make_partitions
from app.store.writer import write_batch
from tests.faults.rig import until_waiting

pytestmark = pytest.mark.anyio


def a_record(message: str = "paid", **fields: Any) -> LogRecord:
    now = datetime.now(UTC)
    values = {
        "correlation_id": str(uuid4()),
        "occurred_at": now,
        "record_id": uuid4(),
        "received_at": now,
        "service": "payment",
        "level": Severity.INFO,
        "message": message,
    }
    return LogRecord(**{**values, **fields})


async def write(driver: Any, *records: LogRecord) -> None:
    await write_batch(driver, [signed(n, record) for n, record in enumerate(records)])


@asynccontextmanager
async def held_open(database_url: str, record: LogRecord) -> AsyncIterator[None]:
    """The transaction that stores this record begins, and ends with the block."""
    writer, other = [await asyncpg.connect(asyncpg_dsn(database_url)) for _ in range(2)]
    numbered = msgspec.structs.replace(record, instance="i", sequence=1)
    try:
        async with other.transaction():
            await other.execute("LOCK TABLE sequence_marks IN EXCLUSIVE MODE")
            writing = asyncio.create_task(write(writer, numbered))
            await until_waiting(other, "INSERT INTO sequence_marks")
            yield
        await writing
    finally:
        await writer.close()
        await other.close()


async def moment_now(database: Database) -> Moment:
    async with database.session() as session:
        row = (await session.execute(text(NOW))).one()
    return read_moment(row.snapshot, row.taken_at)


async def came(database: Database, settings: Settings, moment: Moment) -> list[UUID]:
    statement = text(f"SELECT record_id FROM log_records WHERE {CAME_SINCE}")  # noqa: S608
    async with database.session() as session:
        rows = await session.execute(statement, since(moment, look_back(settings)))
        return list(rows.scalars())


@given(st.integers(1, 2**40), st.sets(st.integers(0, 500)), st.integers(501, 600))
def test_a_snapshot_is_read_as_it_was_written(oldest: int, gaps: set[int], reach: int) -> None:
    names = tuple(oldest + gap for gap in sorted(gaps))
    at = datetime(2026, 11, 20, tzinfo=UTC)
    moment = Moment(oldest=oldest, following=oldest + reach, under_way=names, taken_at=at)

    assert read_moment(str(moment), at) == moment


@pytest.mark.parametrize(
    "said", ["", "1", "1:2", "a:b:", "0:1:", "5:4:", "5:9:4", "5:9:9", f"1:{2**63}:", "1:2:3;"]
)
def test_what_is_no_snapshot_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match="no snapshot"):
        read_moment(said, datetime.now(UTC))


def test_only_what_was_received_long_ago_is_announced() -> None:
    now = datetime.now(UTC)
    old = now - timedelta(minutes=5)

    assert span_of_late([a_record(received_at=now)], now=now) is None
    assert span_of_late([], now=now) is None
    assert span_of_late([a_record(received_at=old), a_record()], now=now)[0] == old  # type: ignore[index]


async def test_a_transaction_that_ends_late_is_new_though_later_ones_were_seen(
    database: Database, settings: Settings
) -> None:
    slow, quick, next_one = a_record(), a_record(), a_record()
    before = await moment_now(database)
    async with held_open(settings.database_url, slow):
        async with database.driver() as driver:
            await write(driver, quick)
        first, between = await came(database, settings, before), await moment_now(database)
    async with database.driver() as driver:
        await write(driver, next_one)

    second = await came(database, settings, between)

    assert between.under_way
    assert first == [quick.record_id]
    assert sorted(second) == sorted([slow.record_id, next_one.record_id])
    assert await came(database, settings, await moment_now(database)) == []


async def test_records_that_waited_long_are_found_by_their_announcement(
    database: Database, settings: Settings
) -> None:
    spooled = a_record(received_at=datetime.now(UTC) - timedelta(hours=3))
    before = await moment_now(database)
    async with database.driver() as driver:
        await write(driver, spooled)

    assert await came(database, settings, before) == [spooled.record_id]


async def test_what_came_between_two_moments_is_told_from_what_came_later(
    database: Database, settings: Settings
) -> None:
    first, second = a_record(), a_record()
    before = await moment_now(database)
    async with database.driver() as driver:
        await write(driver, first)
        between = await moment_now(database)
        await write(driver, second)
    statement = text(
        f"SELECT record_id FROM log_records WHERE {CAME_SINCE} AND {HELD_BY}"  # noqa: S608
    )

    async with database.session() as session:
        await session.execute(text(PLAN))
        bound = {**since(before, look_back(settings)), **until(between)}
        found = (await session.execute(statement, bound)).scalars().all()

    assert found == [first.record_id]


async def test_transactions_are_told_apart_after_their_numbers_wrapped_around(
    connection: asyncpg.Connection,
) -> None:
    # A row shows its transaction modulo 2^32; a snapshot counts on.
    condition = HELD_BY.replace(":until_oldest", "$1::bigint").replace(
        ":until_reach", "$2::bigint"
    ).replace(":until_under_way", "$3")  # fmt: skip
    query = f"""SELECT shown FROM unnest($4::text[]) AS shown
        CROSS JOIN LATERAL (SELECT shown AS xmin) AS log_records WHERE {condition}"""  # noqa: S608
    turn = 2**32

    held = await connection.fetch(
        query, 3 * turn - 10, 20, [5], [str(turn - 11), str(turn - 9), str(turn - 5), "9", "10"]
    )

    assert [row["shown"] for row in held] == [str(turn - 11), str(turn - 9), "9"]


async def test_each_record_is_counted_once_whenever_its_transaction_ends(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    counting = Counting(database, settings)
    await counting.count()
    async with held_open(settings.database_url, a_record(release="1.0")):
        async with database.driver() as driver:
            await write(driver, a_record(), a_record("it broke", level=Severity.ERROR))
        counts = [(await counting.count()).records]

    counts += [(await counting.count()).records, (await counting.count()).records]

    assert counts == [2, 1, 0]
    rows = await connection.fetch(
        "SELECT release, records, errors FROM service_hours ORDER BY release"
    )
    assert [tuple(row) for row in rows] == [("", 2, 1), ("1.0", 1, 0)]
    by_signature = await connection.fetch("SELECT service, records FROM signature_services")
    assert [tuple(row) for row in by_signature] == [("payment", 1)]


async def test_two_replicas_do_not_count_at_once(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('prodsentinel.counting'))")

        counted = await Counting(database, settings).count()

    assert counted.elsewhere


async def test_partitions_made_later_have_the_index_by_arrival(
    connection: asyncpg.Connection,
) -> None:
    made = await make_partitions(connection, now=datetime(2031, 5, 5, tzinfo=UTC), ahead=1)

    rows = await connection.fetch("SELECT indexdef FROM pg_indexes WHERE tablename = $1", made[0])
    ours = [row["indexdef"] for row in rows if "received_at" in row["indexdef"]]
    assert len(ours) == 1
    assert "pages_per_range='16'" in ours[0]
