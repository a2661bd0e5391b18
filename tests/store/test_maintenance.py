import asyncio
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from app.database import DatabaseUnavailable, asyncpg_dsn
from app.migrate import check_drift
from app.normalise.context import Context
from app.settings import Settings
from app.store import maintenance, queries, retention
from app.store.ingest import prepare
from app.store.maintenance import CROWDED_RECORDS, Report, Unmigrated, maintain
from app.store.partitions import PATIENT, Patience, make_days, make_partitions, partition_name
from app.store.writer import write_batch
from tests.store.test_maintain_command import wait_until
from tests.store.test_writer import batch_of, count

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOW.date()
_FILL = """
    INSERT INTO log_records (
        correlation_id, occurred_at, record_id, received_at, service, level, message
    )
    SELECT 'c' || n, $1::timestamptz + n * interval '1 ms', gen_random_uuid(), $2,
        'payment', 'INFO', repeat('paid ', 20) || n
    FROM generate_series(1, $3) AS n
"""


def days_ago(*numbers: int) -> list[date]:
    return [TODAY - timedelta(days=n) for n in numbers]


async def fill(
    connection: asyncpg.Connection, at: datetime, records: int, *, received_at: datetime = NOW
) -> None:
    await connection.execute(_FILL, at, received_at, records)


async def with_days(connection: asyncpg.Connection, *numbers: int, records: int = 10) -> None:
    """Partitions of days so many days ago, with as many records in each."""
    await make_days(connection, days_ago(*numbers), PATIENT)
    for n in numbers:
        await fill(connection, NOW - timedelta(days=n), records)


async def daily(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch(queries.EXISTING_PARTITIONS)
    return sorted(row["relname"] for row in rows if row["relname"] != "log_records_default")


async def everything(connection: asyncpg.Connection) -> list[Any]:
    return [
        await daily(connection),
        await count(connection),
        await count(connection, "failing_chains"),
        await connection.fetchval("SELECT count(*) FROM pg_index"),
    ]


def with_retention(settings: Settings, *, days: int = 0, most: int = 0) -> Settings:
    return msgspec.structs.replace(settings, retention_days=days, retention_bytes=most)


async def test_a_round_makes_drops_moves_and_indexes(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    await with_days(connection, 40, 31, 30)
    await fill(connection, NOW, 5)

    report = await maintain(settings, now=NOW)

    assert report.made == [f"log_records_202611{n}" for n in (19, 20, 21, 22, 23)]
    assert report.rows_moved == 5
    assert [(one.name, one.reason) for one in report.dropped] == [
        ("log_records_20261011", "age"),
        ("log_records_20261020", "age"),
    ]
    assert report.indexed == [f"log_records_{day}_search" for day in (20261119, 20261021)]
    assert await daily(connection) == ["log_records_20261021", *report.made]
    assert (report.left, report.default_records) == ([], 0)
    assert report.bytes_before > 0 < report.bytes_after


async def test_a_second_round_finds_nothing_to_do(settings: Settings) -> None:
    first = await maintain(settings, now=NOW)

    again = await maintain(settings, now=NOW)

    assert again == Report(
        bytes_before=first.bytes_after,
        bytes_after=first.bytes_after,
        default_bytes=first.default_bytes,
    )


async def test_a_dry_run_tells_what_the_round_does_and_does_nothing(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    await with_days(connection, 40, 20)
    await fill(connection, NOW, 5)
    await fill(connection, NOW - timedelta(days=10), CROWDED_RECORDS)
    await fill(connection, datetime(1970, 1, 1, tzinfo=UTC), 3, received_at=NOW - timedelta(31))
    await mark(connection, "forgotten", NOW - timedelta(days=50))
    before = (
        await daily(connection),
        await count(connection),
        await count(connection, "failing_chains"),
    )

    foreseen = await maintain(settings, now=NOW, dry_run=True)
    after = (
        await daily(connection),
        await count(connection),
        await count(connection, "failing_chains"),
    )
    done = await maintain(settings, now=NOW)

    assert before == after
    assert foreseen.dry_run
    for name in ("made", "rows_moved", "dropped", "rows_deleted", "chains_forgotten"):
        assert getattr(foreseen, name) == getattr(done, name), name
    assert set(foreseen.indexed) <= set(done.indexed)
    assert (done.rows_moved, done.rows_deleted, done.chains_forgotten) == (1005, 3, 1)


async def test_over_the_bytes_the_oldest_days_go_until_the_rest_fits(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    await with_days(connection, 5, 4, 3, 2, records=4_000)
    first = await maintain(with_retention(settings), now=NOW)
    stored = first.bytes_after - first.default_bytes
    size = await connection.fetchval("SELECT pg_total_relation_size('log_records_20261115')")

    report = await maintain(with_retention(settings, most=stored - size - 1), now=NOW)

    assert [(one.name, one.reason) for one in report.dropped] == [
        ("log_records_20261115", "bytes"),
        ("log_records_20261116", "bytes"),
    ]
    assert report.bytes_after - report.default_bytes < stored - size - 1
    assert not report.over_bytes


async def test_today_is_never_dropped_and_that_is_said(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    await with_days(connection, 2, 0, records=2_000)

    report = await maintain(with_retention(settings, days=1, most=1), now=NOW)

    assert [one.name for one in report.dropped] == ["log_records_20261118"]
    assert await count(connection) == 2_000
    assert report.over_bytes


async def test_a_sender_with_a_wrong_clock_costs_no_past_day_and_that_is_said(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    await with_days(connection, 3, 2, records=100)
    await maintain(settings, now=NOW)
    await fill(connection, datetime(1970, 1, 1, tzinfo=UTC), 20_000)
    size = await connection.fetchval("SELECT pg_total_relation_size('log_records_default')")
    capped = with_retention(settings, most=size - 1)

    foreseen = await maintain(capped, now=NOW, dry_run=True)
    with capture_logs() as logs:
        report = await maintain(capped, now=NOW)
        maintenance._log(report)

    assert (report.dropped, foreseen.dropped) == ([], [])
    assert report.default_over_bytes
    assert foreseen.default_over_bytes
    assert not report.over_bytes
    assert report.default_bytes >= size
    assert logs == [
        {
            "event": "default_partition_over_retention_bytes",
            "bytes": report.default_bytes,
            "log_level": "warning",
        }
    ]


async def test_midnight_brings_a_day_and_takes_one(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    two_days = with_retention(settings, days=2)
    await with_days(connection, 2)
    late = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
    await maintain(two_days, now=late)

    report = await maintain(two_days, now=late + timedelta(seconds=1))
    an_hour_later = await maintain(two_days, now=late + timedelta(hours=1, seconds=1))

    assert report.made == ["log_records_20261124"]
    assert [one.name for one in report.dropped] == ["log_records_20261118"]
    assert report.indexed == []
    assert an_hour_later.indexed == ["log_records_20261120_search"]


async def test_far_clocks_are_kept_as_long_as_others_counted_from_their_arrival(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    for clock in (datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)):
        await fill(connection, clock, 4, received_at=NOW)
        await fill(connection, clock, 3, received_at=NOW - timedelta(days=31))

    report = await maintain(settings, now=NOW)

    assert (report.rows_deleted, report.default_records) == (6, 8)
    assert await count(connection, "log_records_default") == 8
    assert REGISTRY.get_sample_value("prodsentinel_default_partition_records") == 8


async def test_old_arrivals_are_deleted_in_batches(connection: asyncpg.Connection) -> None:
    await fill(connection, datetime(1970, 1, 1, tzinfo=UTC), 25)

    later = NOW + timedelta(seconds=1)
    deleted = await retention.delete_old_arrivals(connection, later, rows=10)

    assert deleted == 25


async def test_a_past_day_that_many_records_came_for_gets_its_partition(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    await fill(connection, NOW - timedelta(days=9), CROWDED_RECORDS)
    await fill(connection, NOW - timedelta(days=8), CROWDED_RECORDS - 1)
    await fill(connection, NOW - timedelta(days=40), CROWDED_RECORDS)

    report = await maintain(settings, now=NOW)

    assert report.made[0] == "log_records_20261111"
    assert report.rows_moved == CROWDED_RECORDS
    assert await count(connection, "log_records_20261111") == CROWDED_RECORDS
    assert report.default_records == 2 * CROWDED_RECORDS - 1


async def mark(connection: asyncpg.Connection, chain: str, at: datetime) -> None:
    await connection.execute("INSERT INTO failing_chains VALUES ($1, $2)", chain, at)


async def test_marks_of_chains_go_with_their_last_record_and_signatures_stay(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    old = NOW - timedelta(days=40)
    await make_days(connection, days_ago(40, 20), PATIENT)
    await write_batch(
        connection,
        [
            *batch_of({"correlation_id": "gone", "level": "error"}, at=old),
            *batch_of({"correlation_id": "spans", "level": "error"}, at=old),
            *batch_of({"correlation_id": "spans"}, at=NOW - timedelta(days=20)),
        ],
    )
    await connection.execute("UPDATE failing_chains SET first_marked_at = $1", old)

    report = await maintain(settings, now=NOW)

    rows = await connection.fetch("SELECT correlation_id FROM failing_chains")
    assert report.chains_forgotten == 1
    assert [row["correlation_id"] for row in rows] == ["spans"]
    assert await count(connection, "signatures") == 1


async def test_of_several_maintainers_one_works(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    await connection.execute(queries.TAKE_MAINTENANCE_LOCK)
    reports = await asyncio.gather(*(maintain(settings, now=NOW) for _ in range(3)))
    made_meanwhile = await daily(connection)
    await connection.execute("SELECT pg_advisory_unlock_all()")
    after = await maintain(settings, now=NOW)

    assert [report.elsewhere for report in reports] == [True] * 3
    assert made_meanwhile == []
    assert after.made


async def test_many_at_once_do_the_work_once(settings: Settings) -> None:
    reports = await asyncio.gather(*(maintain(settings, now=NOW) for _ in range(6)))

    made = [name for report in reports for name in report.made]
    assert sorted(made) == [f"log_records_202611{n}" for n in (19, 20, 21, 22, 23)]
    assert any(report.elsewhere for report in reports)


async def test_the_lock_ends_with_its_round(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    await maintain(settings, now=NOW)

    assert await connection.fetchval(queries.TAKE_MAINTENANCE_LOCK)


async def test_a_process_that_died_before_dropping_what_it_detached_is_finished(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    await with_days(connection, 40, 25, 20)
    async with connection.transaction():
        detach = queries.DETACH_PARTITION.format(
            lock_ms=100, name="log_records_20261011", first="2026-10-11", last="2026-10-12"
        )
        await connection.execute(detach)
    # What an operator took out to keep it is not ours to drop.
    await connection.execute("ALTER TABLE log_records DETACH PARTITION log_records_20261026")

    await maintain(settings, now=NOW)

    left = await connection.fetch("SELECT relname FROM pg_class WHERE relname ~ '_expired$'")
    assert left == []
    assert await count(connection, "log_records_20261026") == 10
    assert await count(connection) == 10


async def hold_a_read(database_url: str, seconds: float, started: asyncio.Event) -> None:
    reader = await asyncpg.connect(asyncpg_dsn(database_url))
    async with reader.transaction():
        await reader.execute("SELECT count(*) FROM log_records")
        started.set()
        await asyncio.sleep(seconds)
    await reader.close()


async def write_until(database_url: str, done: asyncio.Event) -> tuple[int, float]:
    """Batches one after the other; how many records, and the longest that one took."""
    writer = await asyncpg.connect(asyncpg_dsn(database_url))
    stored, longest = 0, 0.0
    while not done.is_set():
        raw = [{"service": "s", "message": "m", "timestamp": NOW.isoformat()} for _ in range(20)]
        batch, _ = prepare(raw, Context(received_at=NOW))
        start = time.perf_counter()
        stored += (await write_batch(writer, batch)).stored
        longest = max(longest, time.perf_counter() - start)
    await writer.close()
    return stored, longest


async def test_writers_go_on_while_a_long_read_keeps_a_partition_from_being_dropped(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    await make_partitions(connection, now=NOW, ahead=3)
    await with_days(connection, 40)
    started, done = asyncio.Event(), asyncio.Event()
    reading = asyncio.create_task(hold_a_read(settings.database_url, 3, started))
    await started.wait()
    writing = asyncio.create_task(write_until(settings.database_url, done))

    report = await maintain(settings, now=NOW)
    was_reading = not reading.done()
    done.set()
    stored, longest = await writing
    await reading

    assert [one.name for one in report.dropped] == ["log_records_20261011"]
    assert not was_reading
    assert await count(connection, "log_records_20261120") == stored > 0
    assert longest < 2


async def test_a_partition_that_stays_busy_is_left_for_the_next_round(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    once = Patience(seconds=5, lock_tries=1)
    await with_days(connection, 40)
    reader = await asyncpg.connect(asyncpg_dsn(settings.database_url))
    reading = reader.transaction()
    await reading.start()
    await reader.execute("SELECT count(*) FROM log_records")

    busy = await maintain(settings, now=NOW, patience=once)
    await reading.rollback()
    await reader.close()
    free = await maintain(settings, now=NOW)

    assert "log_records_20261011" in busy.left
    assert busy.dropped == []
    assert [one.name for one in free.dropped] == ["log_records_20261011"]


_WAITS_FOR_DEFAULT = """
    SELECT EXISTS (
        SELECT FROM pg_locks WHERE relation = 'log_records_default'::regclass AND NOT granted
    )
"""


async def test_a_record_deleted_while_its_partition_is_made_does_not_come_back(
    connection: asyncpg.Connection, settings: Settings
) -> None:
    await make_days(connection, days_ago(1), PATIENT)
    await fill(connection, NOW, 50)
    forgetter = await asyncpg.connect(asyncpg_dsn(settings.database_url))
    forgetting = forgetter.transaction()
    await forgetting.start()
    await forgetter.execute("DELETE FROM log_records WHERE correlation_id = 'c7'")

    making = asyncio.create_task(maintain(settings, now=NOW))
    await wait_until(connection, _WAITS_FOR_DEFAULT)
    await forgetting.commit()
    await forgetter.close()
    first = await making
    await maintain(settings, now=NOW)

    assert first.left == ["log_records_20261120"]
    assert await count(connection, "log_records_20261120") == 49
    assert await count(connection) == 49


async def test_new_partitions_adopt_indexes_made_before_the_lock(
    connection: asyncpg.Connection, settings: Settings
) -> None:
    await maintain(settings, now=NOW)

    adopted = await connection.fetchval("""
        SELECT count(*) FROM pg_index
        JOIN pg_inherits ON pg_inherits.inhrelid = indexrelid
        WHERE indrelid = 'log_records_20261120'::regclass AND indisvalid
    """)
    constraints: list[Any] = await connection.fetch(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'log_records_20261120'::regclass"
        " AND contype = 'c'"
    )
    assert adopted == 4
    assert constraints == []
    assert partition_name(TODAY) == "log_records_20261120"


async def test_partitions_and_their_indexes_are_no_drift(settings: Settings) -> None:
    report = await maintain(settings, now=NOW)

    await asyncio.to_thread(check_drift, settings.database_url)

    assert report.indexed


async def test_a_database_that_is_away_or_not_migrated_is_named(settings: Settings) -> None:
    away = Settings(database_url="postgresql://nobody@127.0.0.1:1/none")
    admin = await asyncpg.connect(asyncpg_dsn(settings.database_url))
    await admin.execute("DROP TABLE log_records CASCADE")
    await admin.close()

    with pytest.raises(DatabaseUnavailable):
        await maintain(away, now=NOW)
    with pytest.raises(Unmigrated):
        await maintain(settings, now=NOW)
