"""Words, as the indexes of closed partitions hold them."""

from datetime import UTC, date, datetime

import asyncpg
import pytest

from app.store.partitions import Partition, make_partitions, partition_name
from app.store.text_index import build_indexes, closed, missing_indexes
from app.store.writer import write_batch
from tests.store.test_writer import batch_of

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
YESTERDAY = "log_records_20261119"


def closed_names(now: datetime) -> list[str]:
    days = [date(2026, 11, n) for n in (18, 19, 20, 21)]
    partitions = [Partition(name=partition_name(day)) for day in days]
    return [p.name for p in closed([*partitions, Partition(name="log_records_default")], now=now)]


def test_yesterday_is_closed_when_it_has_been_over_for_an_hour() -> None:
    early = closed_names(datetime(2026, 11, 20, 0, 59, tzinfo=UTC))
    late = closed_names(datetime(2026, 11, 20, 1, 0, tzinfo=UTC))

    assert early == ["log_records_20261118"]
    assert late == ["log_records_20261119", "log_records_20261118"]


async def found(connection: asyncpg.Connection, message: str, asked: str) -> bool:
    return bool(
        await connection.fetchval("SELECT search_words($1) @@ search_phrase($2)", message, asked)
    )


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ("Payment DECLINED for order", "declined for"),
        ("cannot import app.store.queries now", "store.queries"),
        ("cannot import app.store.queries now", "app.store"),
        ("POST https://shop.example/api/v1/orders/17/pay failed", "/orders/17"),
        ("order o-17: not paid", "o-17"),
        ("order_id=o-17;", "order_id"),
        ("id 550e8400-e29b-41d4-a716-446655440000 is unknown", "e29b-41d4"),
        ("mail to jane@shop.example bounced", "shop.example"),
        ("<b>bold &amp; brave</b>", "bold &amp; brave"),
        ("took -17 ms, +3", "17 ms"),
        ("оплата не прошла", "не прошла"),
    ],
)
async def test_a_piece_of_a_message_finds_it(
    connection: asyncpg.Connection, message: str, asked: str
) -> None:
    assert await found(connection, message, asked)


@pytest.mark.parametrize("asked", ["order 71", "17 order", "orders", "o-1"])
async def test_other_words_do_not(connection: asyncpg.Connection, asked: str) -> None:
    assert not await found(connection, "order 17 of o-17", asked)


HOSTILE = [
    "x" * 65_536,
    " ".join(f"{n:x}" for n in range(16_000))[:65_536],
    " ".join(chr(0x4E00 + n) for n in range(16_000)),
    " ".join(f"{n:03d}" + "y" * 2_043 for n in range(32)),
    "İ" * 32_768,
    "é" * 1_023 + " " + "é" * 1_024,
    "😀 " * 13_000,
    "1e5 " * 16_000,
    "<a " * 21_000,
    "a.b/c@" * 10_000,
    "-" * 65_536,
    "\x01\x7f ' \\ $$ %s {name}",
]


async def test_no_message_makes_an_index_build_fail(connection: asyncpg.Connection) -> None:
    await make_partitions(connection, now=NOON, ahead=1)
    moment = "2026-11-19T12:00:00Z"
    deep: dict[str, object] = {"leaf": "x" * 60_000}
    for _ in range(30):
        deep = {"k" * 300: deep}
    batch = batch_of(
        *({"message": text, "timestamp": moment} for text in HOSTILE),
        {"attributes": deep, "timestamp": moment},
        {"attributes": {str(n): n for n in range(5_000)}, "timestamp": moment},
    )
    stored = await write_batch(connection, batch)

    built, failed = await build_indexes(connection, YESTERDAY)

    assert stored.stored == len(HOSTILE) + 2
    assert built == [f"{YESTERDAY}_words", f"{YESTERDAY}_attributes"]
    assert failed == []


async def test_an_index_left_unfinished_is_built_anew(connection: asyncpg.Connection) -> None:
    await make_partitions(connection, now=NOON, ahead=1)
    await build_indexes(connection, YESTERDAY)
    # What CREATE INDEX CONCURRENTLY leaves behind when it is killed.
    await connection.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::regclass",
        f"{YESTERDAY}_words",
    )

    missing = list(await missing_indexes(connection, YESTERDAY))
    built, _ = await build_indexes(connection, YESTERDAY)

    assert missing == built == [f"{YESTERDAY}_words"]
    assert not await missing_indexes(connection, YESTERDAY)


async def test_a_search_over_a_closed_day_uses_its_indexes(connection: asyncpg.Connection) -> None:
    await make_partitions(connection, now=NOON, ahead=1)
    await connection.execute("""
        INSERT INTO log_records (
            correlation_id, occurred_at, record_id, received_at, service, level, message, attributes
        )
        SELECT 'c' || n, '2026-11-19T12:00:00Z', gen_random_uuid(), now(), 'payment', 'INFO',
            'order o-' || n || ' paid', jsonb_build_object('order_id', 'o-' || n)
        FROM generate_series(1, 5000) AS n
    """)
    await build_indexes(connection, YESTERDAY)

    for condition, index in (
        ("search_words(message) @@ search_phrase('o-17')", "words"),
        ("""attributes @> '{"order_id": "o-17"}'""", "attributes"),
    ):
        query = f"SELECT message FROM log_records WHERE {condition}"  # noqa: S608 - from above
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}"))
        rows = await connection.fetch(query)

        assert f"{YESTERDAY}_{index}" in plan
        assert [row["message"] for row in rows] == ["order o-17 paid"]
