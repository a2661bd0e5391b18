"""One statement for many searches selects for each what a statement of its own would."""

import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import select

from app.database import Database
from app.normalise.record import Severity
from app.query.live_queries import came_since
from app.query.search import Search, condition_of, parse_search
from app.settings import Settings
from app.store.arrivals import Moment, look_back
from app.store.tables import log_records
from tests.query.search.trees import searches as any_search
from tests.store.test_arrivals import a_record, moment_now, write

pytestmark = pytest.mark.anyio
Filled = tuple[Database, Moment]
WORDS = ("payment", "o-17", "declined", "timeout", "card")
likely = st.sampled_from(
    ["", "payment", "-card", "o-17 OR timeout", "level:>=error", "service:gateway", "release:1.2",
     "-release:1.2", "-(release:1.2 card)", "attr.n:>2", "has:issue", "/o-1[78]/"]
).map(parse_search)  # fmt: skip


@pytest.fixture
async def filled(database: Database) -> Filled:
    """Sixty records that came since a moment, and some before it."""
    dice = random.Random(7)  # noqa: S311 - many records, not secret ones

    def some() -> Any:
        record = a_record(
            " ".join(dice.choices(WORDS, k=3)),
            service=dice.choice(["payment", "gateway"]),
            level=dice.choice(list(Severity)),
            release=dice.choice(["1.2", None]),
            attributes=f'{{"n": {dice.randrange(5)}}}',
        )
        at = record.received_at + timedelta(milliseconds=dice.randrange(900))
        return msgspec.structs.replace(record, received_at=at)

    async with database.driver() as driver:
        await write(driver, *(some() for _ in range(20)))
        before = await moment_now(database)
        await write(driver, *(some() for _ in range(60)))
    return database, before


async def ids_of(database: Database, search: Search) -> list[str]:
    """Of all records, in the order of arrival."""
    names = ("received_at", "record_id", "correlation_id", "occurred_at")
    statement = select(log_records.c.record_id).where(condition_of(search))
    async with database.session() as session:
        rows = await session.execute(statement.order_by(*(log_records.c[name] for name in names)))
        return [str(found) for found in rows.scalars()]


@examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    searches=st.lists(likely | any_search, max_size=6, unique=True),
    most=st.sampled_from([1, 7, 500]),
)
async def test_together_each_search_selects_what_it_selects_alone(
    filled: Filled, settings: Settings, searches: list[Search], most: int
) -> None:
    database, before = filled
    new = await new_ones(database, settings, before)

    async with database.session() as session:
        came = await came_since(
            session, searches, before, look_back=look_back(settings), most=most, seconds=60
        )

    assert list(came.told) == searches
    for search, told in came.told.items():
        wanted = [found for found in await ids_of(database, search) if found in new]
        assert [msgspec.json.decode(one)["record_id"] for one in told.records] == wanted[-most:]
        assert told.left_out == len(wanted[:-most])


async def new_ones(database: Database, settings: Settings, before: Moment) -> set[str]:
    everything = parse_search("")
    async with database.session() as session:
        came = await came_since(
            session, [everything], before, look_back=look_back(settings), most=500, seconds=60
        )
    found = {msgspec.json.decode(one)["record_id"] for one in came.told[everything].records}
    assert len(found) == 60
    return found
