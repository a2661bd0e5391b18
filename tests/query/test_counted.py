"""Histograms from counts say what the records say, whatever happened to both meanwhile."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from app.database import Database
from app.query.counted_queries import LOCK_PARTITIONS
from app.query.forget import ForgetRequest, Forgetter
from app.query.search import parse_search
from app.query.searching import Asked, facets, histogram
from app.query.slices import Span
from app.settings import Settings
from app.store import retention
from app.store.count_queries import GRAINS
from app.store.partitions import Patience, make_days, partition_name
from app.store.retention import Expired
from tests.query.shelves import NOW, make_shelves, put, row
from tests.query.world import SPLITS, World, both, explain_one_signature

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("is_upgraded", [False, True])
async def test_counts_and_records_agree_after_whatever_happened(
    database: Database,
    settings: Settings,
    connection: asyncpg.Connection,
    seed: int,
    is_upgraded: bool,
) -> None:
    dice = random.Random(seed)  # noqa: S311 - many records, not secret ones
    await make_shelves(connection)
    await explain_one_signature(connection)
    world = World(dice, database, settings, connection)
    if is_upgraded:
        await world.write()
    await world.count()
    ways = set()
    for _ in range(40):
        await world.step()
        for _ in range(3):
            counted, scanned, is_counted = await both(database, dice)
            ways.add(is_counted)
            assert counted == scanned

    while await world.counting.recount():
        pass
    for _ in range(20):
        counted, scanned, is_counted = await both(database, dice)
        ways.add(is_counted)
        assert counted == scanned

    assert True in ways
    held = "SELECT sum(records)::int FROM record_counts WHERE seconds = $1"
    stored = await connection.fetchval("SELECT nullif(count(*), 0) FROM log_records")
    assert [await connection.fetchval(held, grain) for grain in GRAINS] == [stored] * len(GRAINS)


async def test_counts_and_records_agree_while_everything_goes_on(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    dice = random.Random(9)  # noqa: S311 - the same
    await make_shelves(connection)
    world = World(dice, database, settings, connection)
    await world.count()
    is_over = False

    async def go_on() -> None:
        while not is_over:
            await world.step()

    async def count() -> None:
        while not is_over:
            await world.counting.count()
            await world.counting.recount()

    work = [asyncio.create_task(go_on()), asyncio.create_task(count())]
    found = [await both(database, dice) for _ in range(150)]
    is_over = True
    await asyncio.gather(*work)

    assert all(counted == scanned for counted, scanned, _ in found)
    assert sum(is_counted for _, _, is_counted in found) > 10


async def test_no_partition_comes_or_goes_while_counts_and_records_are_read(
    database: Database, connection: asyncpg.Connection
) -> None:
    await make_shelves(connection)
    day = (NOW - timedelta(days=3)).date()
    gone = Expired(name=partition_name(day), day=day, bytes=0, reason="age")
    far = NOW - timedelta(days=9)
    await put(connection, row(1, far))
    brief = Patience(seconds=5, lock_tries=1)

    async with database.reading(seconds=60, locking=LOCK_PARTITIONS):
        is_dropped = await retention.drop(connection, gone, tries=1)
        made = await make_days(connection, [far.date()], brief)

    assert (is_dropped, made) == (False, [])
    assert await retention.drop(connection, gone, tries=1)
    assert await make_days(connection, [far.date()], brief)


async def test_a_histogram_and_facets_are_the_same_before_and_after_counting(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    dice = random.Random(3)  # noqa: S311 - the same
    await make_shelves(connection)
    world = World(dice, database, settings, connection)
    for _ in range(10):
        await world.write()
    span = Span(since=NOW - timedelta(days=7, seconds=11), until=NOW + timedelta(minutes=5))
    asked = Asked(search=parse_search("-service:payments"), span=span, seconds=60)

    async def answers() -> list[Any]:
        split = [await histogram(database, asked, split=one, most=60, top=9) for one in SPLITS]
        return [*split, await facets(database, asked, attributes=(), top=9)]

    before = await answers()
    while await world.counting.recount():
        pass
    after = await answers()

    assert before[0].total > 100
    assert after == before


async def test_a_database_that_was_copied_to_another_server_is_counted_anew(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    dice = random.Random(5)  # noqa: S311 - the same
    await make_shelves(connection)
    world = World(dice, database, settings, connection)
    await world.write()
    while await world.counting.recount():
        pass
    # There, transactions had far higher numbers.
    await connection.execute("UPDATE counted_until SET snapshot = '9000000000:9000000000:'")
    await world.write()

    await world.count()
    await world.write()
    while await world.counting.recount():
        pass

    found = [await both(database, dice) for _ in range(20)]
    assert all(counted == scanned for counted, scanned, _ in found)
    assert any(is_counted for _, _, is_counted in found)


async def test_what_no_count_speaks_of_any_more_is_not_kept(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    await make_shelves(connection)
    world = World(random.Random(2), database, settings, connection)  # noqa: S311 - the same
    day = NOW - timedelta(days=3)
    await put(connection, row(1, day, service="gone"), row(2, NOW, service="kept"))
    while await world.counting.recount():
        pass
    await world.drop()

    while await world.counting.recount():
        pass

    kinds = await connection.fetch("SELECT service FROM record_kinds")
    assert [one["service"] for one in kinds] == ["kept"]


async def test_what_was_forgotten_is_named_by_no_count(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    await make_shelves(connection)
    world = World(random.Random(2), database, settings, connection)  # noqa: S311 - the same
    await put(connection, row(1, NOW, instance="laptop of Ada"), row(2, NOW, instance="i-1"))
    while await world.counting.recount():
        pass
    request = ForgetRequest(q='instance:"laptop of Ada"', done_by="privacy desk", confirm=True)
    await Forgetter(database, None).forget(request)

    while await world.counting.recount():
        pass

    kinds = await connection.fetch("SELECT instance FROM record_kinds")
    assert [one["instance"] for one in kinds] == ["i-1"]
