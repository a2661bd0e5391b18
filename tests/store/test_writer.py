import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from app.database import asyncpg_dsn
from app.normalise.context import Context
from app.normalise.record import LogRecord
from app.store.batch import SignedRecord
from app.store.ingest import prepare
from app.store.writer import Outcome, write_batch

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def batch_of(*raw: dict[str, Any], at: datetime = NOW) -> list[SignedRecord]:
    records = [{"service": "payment", "message": "paid", **fields} for fields in raw]
    batch, refused = prepare(records, Context(received_at=at))
    assert not refused
    return batch


async def count(connection: asyncpg.Connection, table: str = "log_records") -> int:
    return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))  # noqa: S608


async def test_a_batch_is_stored_whole(connection: asyncpg.Connection) -> None:
    outcome = await write_batch(connection, batch_of({}, {}, {"level": "error"}))

    assert outcome == Outcome(stored=3, new_signatures=1)
    assert await count(connection) == 3


async def test_an_empty_batch_is_nothing(connection: asyncpg.Connection) -> None:
    assert await write_batch(connection, []) == Outcome()


async def test_a_resent_batch_is_stored_once_and_counted_once(
    connection: asyncpg.Connection,
) -> None:
    batch = batch_of({"timestamp": "2026-11-20T11:00:00Z"}, {"level": "error", "message": "boom"})

    first = await write_batch(connection, batch)
    second = await write_batch(connection, batch)

    assert first == Outcome(stored=2, new_signatures=1)
    assert second == Outcome(resent=2)
    assert await count(connection) == 2
    assert await connection.fetchval("SELECT records FROM signatures") == 1


async def test_only_the_new_records_of_a_mixed_batch_are_stored(
    connection: asyncpg.Connection,
) -> None:
    old = batch_of({"level": "error", "message": "boom"})
    await write_batch(connection, old)

    outcome = await write_batch(connection, old + batch_of({"level": "error", "message": "boom"}))

    assert (outcome.stored, outcome.resent) == (1, 1)
    assert await connection.fetchval("SELECT records FROM signatures") == 2


async def test_one_record_twice_in_a_batch_is_stored_once(connection: asyncpg.Connection) -> None:
    batch = batch_of({})

    assert await write_batch(connection, batch * 2) == Outcome(stored=1, resent=1)


async def test_a_record_resent_without_a_time_is_stored_once(
    connection: asyncpg.Connection,
) -> None:
    identity = str(uuid4())

    await write_batch(connection, batch_of({"record_id": identity}))
    later = batch_of({"record_id": identity}, at=NOW + timedelta(seconds=5))
    outcome = await write_batch(connection, later)

    assert outcome == Outcome(resent=1)
    assert await count(connection) == 1


async def test_the_same_id_in_two_chains_is_resent_in_each(
    connection: asyncpg.Connection,
) -> None:
    one, two = str(uuid4()), str(uuid4())
    await write_batch(connection, batch_of({"record_id": one, "correlation_id": "a"}))

    outcome = await write_batch(
        connection,
        batch_of(
            {"record_id": one, "correlation_id": "a"},
            {"record_id": one, "correlation_id": "b"},
            {"record_id": two, "correlation_id": "a"},
        ),
    )

    assert outcome == Outcome(stored=2, resent=1)


async def test_two_batches_with_the_same_records_in_opposite_order_do_not_deadlock(
    database_url: str,
) -> None:
    drivers = [await asyncpg.connect(asyncpg_dsn(database_url)) for _ in range(2)]
    for turn in range(10):
        batch = batch_of(
            *({"level": "error", "message": f"m{n}", "correlation_id": f"{turn}-{n}"}
              for n in range(40))
        )  # fmt: skip
        outcomes = await asyncio.gather(
            write_batch(drivers[0], batch), write_batch(drivers[1], batch[::-1])
        )
        assert sum(outcome.stored for outcome in outcomes) == 40
    for driver in drivers:
        await driver.close()


def _unstorable(signed: SignedRecord) -> SignedRecord:
    # Normalising replaces NUL; a record that got past it stands for whatever we forgot.
    record: LogRecord = msgspec.structs.replace(signed.record, message="a\x00b")
    return msgspec.structs.replace(signed, record=record)


async def test_a_record_postgresql_refuses_costs_no_neighbour(
    connection: asyncpg.Connection,
) -> None:
    batch = batch_of(*({"message": f"m{n}"} for n in range(9)))
    batch[4] = _unstorable(batch[4])

    outcome = await write_batch(connection, batch)

    assert (outcome.stored, [one.index for one in outcome.refused]) == (8, [4])
    assert await count(connection) == 8


async def test_far_clocks_go_to_the_default_partition(connection: asyncpg.Connection) -> None:
    await write_batch(
        connection,
        batch_of({"timestamp": "2001-01-01T00:00:00Z"}, {"timestamp": "2999-01-01T00:00:00Z"}),
    )

    assert await count(connection, "log_records_default") == 2


async def test_an_error_marks_its_chain_and_late_records_mark_it_again(
    connection: asyncpg.Connection,
) -> None:
    await write_batch(connection, batch_of({"correlation_id": "c"}))
    assert await count(connection, "chain_marks") == 0

    await write_batch(connection, batch_of({"correlation_id": "c", "level": "error"}))
    assert await count(connection, "chain_marks") == 1

    await write_batch(connection, batch_of({"correlation_id": "c"}))
    assert await count(connection, "chain_marks") == 2
    assert await count(connection, "failing_chains") == 1


async def test_a_signature_keeps_its_first_and_last_time(connection: asyncpg.Connection) -> None:
    times = ["2026-11-20T11:00:00Z", "2026-11-20T09:00:00Z", "2026-11-20T10:00:00Z"]
    for moment in times:
        await write_batch(
            connection, batch_of({"level": "error", "message": "boom", "timestamp": moment})
        )

    row = await connection.fetchrow("SELECT * FROM signatures")

    assert row["records"] == 3
    assert (row["first_seen"].hour, row["last_seen"].hour) == (9, 11)


async def test_what_is_read_is_what_was_written(connection: asyncpg.Connection) -> None:
    (signed,) = batch_of(
        {
            "level": "warn",
            "environment": "prod",
            "release": "1.2",
            "instance": "i-1",
            "span_id": "s",
            "parent_span_id": "p",
            "sequence": 7,
            "order_id": "o-17",
            "record_id": "0198c0de-0000-7000-8000-000000000001",
            "timestamp": "2026-11-20T11:00:00.123456Z",
        }
    )
    await write_batch(connection, [signed])

    row = await connection.fetchrow("SELECT * FROM log_records")

    assert row["record_id"] == UUID("0198c0de-0000-7000-8000-000000000001")
    assert row["occurred_at"] == datetime(2026, 11, 20, 11, 0, 0, 123456, tzinfo=UTC)
    assert row["level"] == "WARNING"
    assert msgspec.json.decode(row["attributes"]) == {"order_id": "o-17"}
    assert [row[name] for name in ("environment", "release", "instance", "sequence")] == [
        "prod", "1.2", "i-1", 7,
    ]  # fmt: skip
