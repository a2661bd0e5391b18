"""Histograms from counts say what the records say, whatever happened to both meanwhile."""

import asyncio
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_args

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database import Database
from app.query import log_queries as queries
from app.query.buckets import bucket_width, start_of
from app.query.counted import cover_of, is_held, usable_grains
from app.query.counted_queries import LOCK_PARTITIONS, counts_and_rest, every_record
from app.query.forget import ForgetRequest, Forgetter
from app.query.log_queries import Split
from app.query.search import parse_search
from app.query.searching import Asked, facets, histogram
from app.query.slices import Span
from app.settings import Settings
from app.store import retention
from app.store.count_queries import GRAINS
from app.store.counting import Counting
from app.store.partitions import PATIENT, Patience, make_days, partition_name
from app.store.retention import Expired
from tests.query.shelves import NOW, make_shelves, put, row

pytestmark = pytest.mark.anyio
SPLITS: Final = (None, *get_args(Split))
SEARCHES: Final = (
    "",
    "service:payment",
    "level:>=error",
    "-release:1.2",
    "service:pay* OR environment:prod",
    "signature:v1:a",
    "has:signature -instance:i-1",
    "has:issue",
    "issue:known-one",
    "NOT (has:release service:gateway)",
)
FAR: Final = (datetime(1970, 1, 1, 5, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC))
_moments = st.datetimes(datetime(2026, 11, 17), datetime(2026, 11, 20)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)
_spans = st.tuples(_moments, _moments).map(lambda two: Span(since=min(two), until=max(two)))


def a_row(dice: random.Random, number: int, moment: datetime) -> dict[str, Any]:
    level = dice.choice(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
    is_error = level in {"ERROR", "CRITICAL"}
    return row(
        number, moment, level=level,
        received_at=moment if dice.random() < 0.3 else datetime.now(UTC),
        service=dice.choice(["payment", "payments", "gateway"]),
        environment=dice.choice(["prod", "test", "", None]),
        release=dice.choice(["1.2", "1.20", None]),
        instance=dice.choice(["i-1", "i-2", None]),
        signature_id=dice.choice(["v1:a", "v1:b", None]) if is_error else None,
    )  # fmt: skip


def some_moment(dice: random.Random) -> datetime:
    if dice.random() < 0.05:
        return dice.choice(FAR)
    return NOW - timedelta(seconds=dice.uniform(-600, 3.4 * 86_400))


def some_span(dice: random.Random) -> Span:
    until = NOW - timedelta(seconds=dice.choice([0, -300.5, dice.uniform(0, 100_000)]))
    reach = dice.choice([20, 3_000, 3_600, 86_400, 259_200, 31_536_000])
    return Span(since=until - timedelta(seconds=reach), until=until)


async def both(
    database: Database, dice: random.Random
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], bool]:
    """From counts and from records, of one moment; and whether counts were read."""
    search, span = parse_search(dice.choice(SEARCHES)), some_span(dice)
    width = bucket_width(span, most=dice.choice([7, 60, 500]))
    bins: dict[str, Any] = {
        "start": start_of(span.since, width), "width": width, "split": dice.choice(SPLITS),
    }  # fmt: skip
    async with database.reading(seconds=60, locking=LOCK_PARTITIONS) as session:
        grains = usable_grains(bins["start"], width)
        counted = await counts_and_rest(session, search, span, grains)
        found = [
            sorted(await queries.counts(session, queries.counts_of(one, **bins), one.parameters))
            for one in (counted, every_record(search, span))
        ]
    return found[0], found[1], bool(counted.parameters)


class World:
    """Records, and what may happen to them."""

    def __init__(
        self, dice: random.Random, database: Database, settings: Settings, driver: Any
    ) -> None:
        self.dice = dice
        self.counting = Counting(database, settings)
        self.database = database
        self.driver = driver
        self.number = 0

    async def write(self) -> None:
        moments = [some_moment(self.dice) for _ in range(self.dice.randrange(1, 40))]
        rows = [a_row(self.dice, self.number + n, one) for n, one in enumerate(moments)]
        self.number += len(rows)
        await put(self.driver, *rows)

    async def count(self) -> None:
        await self.counting.count()

    async def recount(self) -> None:
        for _ in range(self.dice.choice([1, 5, 300])):
            if not await self.counting.recount():
                break

    async def forget(self) -> None:
        q = f"correlation:c-{self.dice.randrange(7)} service:gateway"
        request = ForgetRequest(q=q, done_by="privacy desk", confirm=True)
        await Forgetter(self.database, None).forget(request)

    async def drop(self) -> None:
        day = (NOW - timedelta(days=3)).date()
        expired = Expired(name=partition_name(day), day=day, bytes=0, reason="age")
        if await self.driver.fetchval("SELECT to_regclass($1) IS NOT NULL", expired.name):
            assert await retention.drop(self.driver, expired, tries=100)

    async def make(self) -> None:
        await make_days(self.driver, [(NOW - timedelta(days=3)).date()], PATIENT)

    async def delete_old(self) -> None:
        await retention.delete_old_arrivals(self.driver, NOW - timedelta(days=2), rows=3)

    async def step(self) -> None:
        steps = {
            self.write: 6, self.count: 4, self.recount: 2, self.forget: 1, self.delete_old: 1,
            self.drop: 1, self.make: 1,
        }  # fmt: skip
        await self.dice.choices(list(steps), list(steps.values()))[0]()


async def explain_one_signature(driver: asyncpg.Connection) -> None:
    """That `v1:a` is of a known issue."""
    await driver.execute("""
        INSERT INTO known_issues (
            known_issue_id, version, title, symptoms, causes, fix, lesson, caution, origin,
            document, heading_path, first_line, last_line, content_hash
        ) VALUES ('known-one', 1, '', '', '', '', '', '', '', '', '{}', 1, 1, '');
        INSERT INTO matches (signature_id, known_issue_id, known_issue_version, catalogue_hash)
        VALUES ('v1:a', 'known-one', 1, '')
    """)


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


@given(_spans, st.lists(_spans, max_size=4), st.sampled_from([(), (60,), (60, 900), GRAINS]))
def test_every_moment_of_a_span_is_counted_or_scanned_once(
    span: Span, parts: list[Span], grains: tuple[int, ...]
) -> None:
    whole = merged(parts, within=span)

    cover = cover_of(span, whole, grains)

    pieces = sorted([*(one for _, one in cover.counted), *cover.scanned], key=lambda one: one.since)
    assert all(not one.is_empty for one in pieces)
    edges = [span.since, *(one.until for one in pieces)]
    assert [one.since for one in pieces] == edges[:-1]
    assert span.is_empty or edges[-1] == span.until
    for grain, one in cover.counted:
        assert not any(moment.timestamp() % grain for moment in (one.since, one.until))
        assert any(part.since <= one.since and one.until <= part.until for part in whole)


def merged(parts: Iterable[Span], *, within: Span) -> list[Span]:
    """As PostgreSQL gives them: none empty, none touching another, all within the span."""
    found: list[Span] = []
    for part in sorted(parts, key=lambda one: one.since):
        clipped = Span(since=max(part.since, within.since), until=min(part.until, within.until))
        if clipped.is_empty:
            continue
        if found and clipped.since <= found[-1].until:
            last = found.pop()
            clipped = Span(since=last.since, until=max(last.until, clipped.until))
        found.append(clipped)
    return found


@pytest.mark.parametrize("q", SEARCHES)
def test_a_search_by_what_counts_are_kept_by_is_held(q: str) -> None:
    assert is_held(parse_search(q))


@pytest.mark.parametrize(
    "q", ["paid", "correlation:c-1", "attr.n:1", "service:a OR paid", "-has:exception", "span:1"]
)
def test_a_search_by_anything_else_is_not(q: str) -> None:
    assert not is_held(parse_search(q))
