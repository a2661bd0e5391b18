"""Records, and what may happen to them, beside whoever counts them."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_args

import asyncpg

from app.database import Database
from app.query import log_queries as queries
from app.query.buckets import bucket_width, start_of
from app.query.counted import usable_grains
from app.query.counted_queries import LOCK_PARTITIONS, counts_and_rest, every_record
from app.query.forget import ForgetRequest, Forgetter
from app.query.log_queries import Split
from app.query.search import parse_search
from app.query.slices import Span
from app.settings import Settings
from app.store import retention
from app.store.counting import Counting
from app.store.partitions import PATIENT, make_days, partition_name
from app.store.retention import Expired
from tests.query.shelves import NOW, put, row

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
