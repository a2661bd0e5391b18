import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.database import Database, DatabaseUnavailable
from app.settings import Settings
from app.store.committer import Committer
from app.store.outage import Outage
from tests.store.test_writer import NOW, _unstorable, batch_of, count

pytestmark = pytest.mark.anyio


@pytest.fixture
async def committer(database: Database) -> AsyncIterator[Committer]:
    made = Committer(database, Outage(database, None, patience=5))
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def transactions(connection: asyncpg.Connection) -> int:
    """How many transactions wrote records: each has its own xmin."""
    return int(await connection.fetchval("SELECT count(DISTINCT xmin::text) FROM log_records"))


async def test_a_lone_request_is_written_at_once(
    committer: Committer, connection: asyncpg.Connection
) -> None:
    assert await committer.submit(batch_of({}), sender="s") == ()

    assert await count(connection) == 1


async def test_requests_in_flight_share_transactions(
    committer: Committer, connection: asyncpg.Connection
) -> None:
    batches = [batch_of({"message": f"m{n}"}) for n in range(200)]

    await asyncio.gather(*(committer.submit(batch, sender="s") for batch in batches))

    assert await count(connection) == 200
    assert await transactions(connection) <= 5


async def test_a_record_that_is_refused_is_told_to_its_own_request_only(
    committer: Committer, connection: asyncpg.Connection
) -> None:
    batches = [batch_of({"message": f"m{n}"}, {}) for n in range(20)]
    batches[7][1] = _unstorable(batches[7][1])

    answers = await asyncio.gather(*(committer.submit(batch, sender="s") for batch in batches))

    assert [len(answer) for answer in answers] == [0] * 7 + [1] + [0] * 12
    assert answers[7][0].index == 1
    assert await count(connection) == 39


async def test_one_record_in_two_requests_of_a_group_is_stored_once(
    committer: Committer, connection: asyncpg.Connection
) -> None:
    batch = batch_of({"timestamp": NOW.isoformat()})

    await asyncio.gather(*(committer.submit(batch, sender="s") for _ in range(10)))

    assert await count(connection) == 1


async def test_a_request_whose_client_left_costs_no_other(
    committer: Committer, connection: asyncpg.Connection
) -> None:
    leaving = committer.submit(batch_of({"message": "leaving"}), sender="s")
    staying = committer.submit(batch_of({"message": "staying"}), sender="s")
    await asyncio.sleep(0)
    leaving.cancel()

    assert await staying == ()
    assert await count(connection) == 2


async def test_without_a_database_every_request_is_told(tmp_path: Any) -> None:
    settings = Settings(
        database_url=f"postgresql://nobody@/none?host={tmp_path}", connect_timeout_seconds=1
    )
    database = Database(settings.database_url, settings)
    committer = Committer(database, Outage(database, None, patience=5))
    running = asyncio.create_task(committer.run())

    answers = await asyncio.gather(
        *(committer.submit(batch_of({}), sender="s") for _ in range(5)), return_exceptions=True
    )

    assert all(isinstance(answer, DatabaseUnavailable) for answer in answers)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await database.close()
