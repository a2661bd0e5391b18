"""Words, as the indexes of closed partitions hold them."""

from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import Settings
from app.store.hot_index import index_windows
from app.store.partitions import Partition, make_partitions, partition_name
from app.store.queries import INDEXES_OF, TAKE_HOT_INDEX_LOCK
from app.store.text_index import (
    SETTLED_AFTER,
    Window,
    build_index,
    build_window,
    closed,
    lacks_index,
    window_of,
)
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

    built = await build_index(connection, YESTERDAY)

    assert stored.stored == len(HOSTILE) + 2
    assert built


async def test_an_index_left_unfinished_is_built_anew(connection: asyncpg.Connection) -> None:
    await make_partitions(connection, now=NOON, ahead=1)
    await build_index(connection, YESTERDAY)
    # What CREATE INDEX CONCURRENTLY leaves behind when it is killed.
    await connection.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::regclass",
        f"{YESTERDAY}_search",
    )

    was_missing = await lacks_index(connection, YESTERDAY)
    built = await build_index(connection, YESTERDAY)

    assert was_missing
    assert built
    assert not await lacks_index(connection, YESTERDAY)


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
    await build_index(connection, YESTERDAY)

    for condition in (
        "search_words(searched_text(message, exception)) @@ search_phrase('o-17')",
        """attributes @> '{"order_id": "o-17"}'""",
    ):
        query = f"SELECT message FROM log_records WHERE {condition}"  # noqa: S608 - from above
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}"))
        rows = await connection.fetch(query)

        assert f"{YESTERDAY}_search" in plan
        assert [row["message"] for row in rows] == ["order o-17 paid"]


TODAY = Partition(name="log_records_20261120")


async def store_seconds(connection: asyncpg.Connection, first: datetime, count: int) -> None:
    await connection.execute(
        """
        INSERT INTO log_records (
            correlation_id, occurred_at, record_id, received_at, service, level, message, attributes
        )
        SELECT 'c' || n, $1::timestamptz + n * interval '1 second', gen_random_uuid(), now(), 's',
            'INFO', 'order o-' || n, '{}'
        FROM generate_series(0, $2::int - 1) AS n
        """,
        first,
        count,
    )


async def index_names_of(connection: asyncpg.Connection, partition: str) -> list[str]:
    rows = await connection.fetch(INDEXES_OF, partition)
    return sorted(row["name"] for row in rows if "_search" in row["name"])


@given(
    first=st.integers(min_value=0, max_value=86_399), length=st.integers(min_value=1, max_value=60)
)
def test_the_name_of_a_windows_index_tells_the_window(first: int, length: int) -> None:
    midnight = NOON.replace(hour=0)
    last = min(first + length, 86_400)
    window = Window(
        partition=TODAY.name,
        since=midnight + timedelta(seconds=first),
        until=midnight + timedelta(seconds=last),
    )

    assert window_of(window.index) == window


@pytest.mark.parametrize(
    "name", ["log_records_20261120_search", "log_records_20261120_pkey", "log_records_search_1_2"]
)
def test_other_names_tell_no_window(name: str) -> None:
    assert window_of(name) is None


async def test_windows_follow_one_another_and_wait_until_they_are_worth_it(
    connection: asyncpg.Connection,
) -> None:
    await make_partitions(connection, now=NOON, ahead=1)
    await store_seconds(connection, NOON, 1_000)
    later = NOON + timedelta(seconds=1_000) + SETTLED_AFTER

    too_few = await build_window(connection, TODAY, now=later, least_rows=1_001)
    first = await build_window(connection, TODAY, now=later, least_rows=250)
    await store_seconds(connection, NOON + timedelta(seconds=1_000), 249)
    not_a_quarter = await build_window(
        connection, TODAY, now=later + timedelta(seconds=249), least_rows=250
    )
    await store_seconds(connection, NOON + timedelta(seconds=1_249), 1)
    second = await build_window(
        connection, TODAY, now=later + timedelta(seconds=250), least_rows=250
    )

    assert too_few is not_a_quarter is None
    assert first
    assert second
    assert (first.since, first.until) == (NOON.replace(hour=0), NOON + timedelta(seconds=1_000))
    assert (second.since, second.until) == (first.until, NOON + timedelta(seconds=1_250))


async def test_a_window_holds_no_more_than_is_soon_indexed(
    connection: asyncpg.Connection,
) -> None:
    await make_partitions(connection, now=NOON, ahead=1)
    await store_seconds(connection, NOON, 1_000)
    later = NOON + timedelta(hours=1)

    windows = [await build_window(connection, TODAY, now=later, least_rows=100) for _ in range(4)]

    # The last two hundred are not yet a quarter of what is held.
    ends = [window.until for window in windows if window]
    assert ends == [NOON + timedelta(seconds=400), NOON + timedelta(seconds=800)]


async def test_windows_left_beside_the_index_of_their_day_go_with_the_next_round(
    connection: asyncpg.Connection,
) -> None:
    await make_partitions(connection, now=NOON, ahead=1)
    await store_seconds(connection, NOON, 100)
    await build_index(connection, TODAY.name)
    await build_window(connection, TODAY, now=NOON + timedelta(hours=1), least_rows=1)

    again = await build_index(connection, TODAY.name)

    assert again is None
    assert await index_names_of(connection, TODAY.name) == [f"{TODAY.name}_search"]


async def test_what_was_left_of_a_window_is_built_anew(connection: asyncpg.Connection) -> None:
    await make_partitions(connection, now=NOON, ahead=1)
    await store_seconds(connection, NOON, 100)
    later = NOON + timedelta(hours=1)
    killed = await build_window(connection, TODAY, now=later, least_rows=1)
    assert killed
    await connection.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::regclass", killed.index
    )

    built = await build_window(connection, TODAY, now=later + timedelta(seconds=1), least_rows=1)

    assert built
    assert built.since == killed.since
    assert await index_names_of(connection, TODAY.name) == [built.index]


async def test_the_index_of_a_closed_day_takes_the_place_of_its_windows(
    connection: asyncpg.Connection,
) -> None:
    await make_partitions(connection, now=NOON, ahead=1)
    await store_seconds(connection, NOON, 100)
    await build_window(connection, TODAY, now=NOON + timedelta(hours=1), least_rows=1)
    await connection.execute(f"CREATE INDEX {TODAY.name}_words ON {TODAY.name} (message)")

    await build_index(connection, TODAY.name)

    assert await index_names_of(connection, TODAY.name) == [f"{TODAY.name}_search"]
    rows = await connection.fetch(INDEXES_OF, TODAY.name)
    assert not [row["name"] for row in rows if row["name"].endswith("_words")]


async def test_one_process_at_a_time_indexes_the_day_under_way(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    await make_partitions(connection, now=NOON, ahead=1)
    await store_seconds(connection, NOON, 100)
    now = NOON + timedelta(hours=1)

    await connection.execute(TAKE_HOT_INDEX_LOCK)
    meanwhile = await index_windows(settings, now=now, least_rows=1)
    await connection.execute("SELECT pg_advisory_unlock_all()")
    windows = await index_windows(settings, now=now, least_rows=1)

    assert meanwhile == []
    assert [one.partition for one in windows] == [TODAY.name]
