"""The database goes away or slow, and comes back: what was spooled is stored, once."""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from sqlalchemy.engine import make_url

from app.database import Database, DatabaseUnavailable, asyncpg_dsn
from app.embedded import EmbeddedServer
from app.migrate import migrate
from app.settings import Settings
from app.store.batch import SignedRecord
from app.store.committer import Committer
from app.store.outage import Outage
from app.store.spool import Spool, SpoolFull
from app.store.writer import write_batch
from tests.store.spooled import MIB, large
from tests.store.test_writer import batch_of, count

pytestmark = pytest.mark.anyio
PATIENCE = 0.5


class Parts(msgspec.Struct, frozen=True):
    """What of a process stands between its requests and the disk."""

    outage: Outage
    spool: Spool
    committer: Committer

    async def store(self, *batches: list[SignedRecord]) -> None:
        """One after the other, each acknowledged before the next."""
        for batch in batches:
            assert await self.committer.submit(batch, sender="s") == ()

    async def drained(self) -> None:
        await until(lambda: not self.spool.holds_any() and not self.outage.is_on)


async def until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(is_so):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@asynccontextmanager
async def running(database: Database, spool: Spool) -> AsyncIterator[Parts]:
    outage = Outage(database, spool, patience=PATIENCE)
    committer = Committer(database, outage)
    workers = [asyncio.create_task(work()) for work in (outage.run, committer.run)]
    try:
        yield Parts(outage, spool, committer)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


@pytest.fixture
async def parts(database: Database, spool: Spool) -> AsyncIterator[Parts]:
    async with running(database, spool) as made:
        yield made


Away = Callable[[], Any]


@pytest.fixture
def away(server: EmbeddedServer, database_url: str) -> Away:
    return functools.partial(_away, server.url, make_url(database_url).database or "")


@asynccontextmanager
async def _away(server_url: str, name: str) -> AsyncIterator[None]:
    """For those who ask for the database, it is not there."""
    admin = await asyncpg.connect(asyncpg_dsn(server_url))
    try:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", name
        )
        await admin.execute(f"ALTER DATABASE {name} RENAME TO {name}_away")
        await admin.execute(f"ALTER DATABASE {name}_away ALLOW_CONNECTIONS true")
        yield
        await admin.execute(f"ALTER DATABASE {name}_away RENAME TO {name}")
    finally:
        await admin.close()


async def messages(url: str) -> list[str]:
    """In the order of their transactions."""
    reader = await asyncpg.connect(asyncpg_dsn(url))
    rows = await reader.fetch("SELECT message FROM log_records ORDER BY xmin::text::bigint")
    await reader.close()
    return [row["message"] for row in rows]


def is_there(directory: Path) -> bool:
    return directory.exists()


def numbered(*numbers: int) -> list[list[SignedRecord]]:
    return [batch_of({"message": f"m{number}"}) for number in numbers]


async def test_with_a_database_the_spool_is_never_touched(
    parts: Parts, connection: asyncpg.Connection, directory: Path
) -> None:
    await parts.store(*numbered(*range(20)))

    assert await count(connection) == 20
    assert not is_there(directory)


async def test_what_was_accepted_while_it_was_away_is_stored(
    parts: Parts, away: Away, database_url: str
) -> None:
    await parts.store(*numbered(0))
    async with away():
        await parts.store(*numbered(*range(1, 10)))
        assert parts.outage.is_on
        assert parts.spool.state().records == 9
    await parts.drained()
    await parts.store(*numbered(10))

    assert sorted(await messages(database_url)) == sorted(f"m{number}" for number in range(11))
    assert parts.spool.state().records == 0


async def test_a_server_that_stops_and_starts_again_loses_nothing(
    tmp_path: Path, spool: Spool
) -> None:
    server = EmbeddedServer(tmp_path / "server")
    url = server.url
    database = Database(url, Settings(database_url=url, data_dir=str(tmp_path)))
    try:
        await asyncio.to_thread(migrate, url)
        async with running(database, spool) as parts:
            await parts.store(*numbered(0))
            await asyncio.to_thread(server.stop)
            await parts.store(*numbered(1, 2, 3))
            assert spool.state().records == 3
            server = await asyncio.to_thread(EmbeddedServer, tmp_path / "server")
            await parts.drained()

            assert sorted(await messages(url)) == ["m0", "m1", "m2", "m3"]
    finally:
        await database.close()
        await asyncio.to_thread(server.stop)


async def test_requests_at_the_same_time_are_all_spooled(
    parts: Parts, away: Away, database_url: str
) -> None:
    async with away():
        await asyncio.gather(*(parts.store(batch) for batch in numbered(*range(100))))
    await parts.drained()

    assert sorted(await messages(database_url)) == sorted(f"m{number}" for number in range(100))


async def test_what_a_process_left_behind_is_stored_by_the_next(
    database: Database, spool: Spool, connection: asyncpg.Connection
) -> None:
    spool.append([one.record for one in batch_of({}, {"level": "error"})])

    async with running(database, spool) as parts:
        await parts.drained()

    assert await count(connection) == 2
    assert await count(connection, "signatures") == 1


async def test_what_was_stored_before_the_crash_is_not_stored_again(
    database: Database, spool: Spool, connection: asyncpg.Connection
) -> None:
    batch = batch_of({"level": "error"}, {"record_id": "0198c0de-0000-7000-8000-000000000001"})
    spool.append([one.record for one in batch])
    await write_batch(connection, batch)

    async with running(database, spool) as parts:
        await parts.drained()

    assert await count(connection) == 2
    assert await connection.fetchval("SELECT records FROM signatures") == 1


async def test_a_record_postgresql_refuses_is_kept_and_costs_no_neighbour(
    database: Database, spool: Spool, database_url: str
) -> None:
    records = [one.record for batch in numbered(*range(5)) for one in batch]
    records[2] = msgspec.structs.replace(records[2], message="a\x00b")
    spool.append(records)
    spool.append([one.record for one in numbered(5)[0]])

    async with running(database, spool) as parts:
        await parts.drained()

    assert sorted(await messages(database_url)) == ["m0", "m1", "m3", "m4", "m5"]
    assert spool.state().unstorable == 1


async def test_a_database_that_takes_too_long_is_as_good_as_away(
    parts: Parts, connection: asyncpg.Connection
) -> None:
    async with connection.transaction():
        await connection.execute("LOCK TABLE log_records IN ACCESS EXCLUSIVE MODE")
        await parts.store(*numbered(0, 1))
        assert parts.spool.state().records == 2
    await parts.drained()

    assert await count(connection) == 2


async def test_a_commit_that_ends_after_all_does_not_double_what_was_spooled(
    parts: Parts, connection: asyncpg.Connection
) -> None:
    await connection.execute("""
        CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON log_records
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait();
    """)
    await connection.execute("SELECT pg_advisory_lock(42)")
    await parts.store(batch_of({"level": "error"}, {}))
    assert parts.spool.state().records == 2
    first = await connection.fetchval(
        "SELECT backend_xid::text FROM pg_stat_activity "
        "WHERE datname = current_database() AND state = 'active' AND query ~* '^commit'"
    )
    await connection.execute("SELECT pg_advisory_unlock(42)")
    await parts.drained()

    stored = await connection.fetch("SELECT xmin::text FROM log_records")
    assert [row["xmin"] for row in stored] == [first, first]
    assert await connection.fetchval("SELECT records FROM signatures") == 1


async def test_while_another_process_drains_this_one_leaves_the_spool_alone(
    database: Database, spool: Spool, opened: Callable[[int], Spool], connection: asyncpg.Connection
) -> None:
    spool.append([one.record for one in batch_of({})])

    with opened(64 * MIB).draining() as is_ours:
        assert is_ours
        async with running(database, spool):
            await asyncio.sleep(0.7)
            assert await count(connection) == 0
    async with running(database, spool) as parts:
        await parts.drained()

    assert await count(connection) == 1


async def test_a_full_spool_refuses_and_says_so(
    database: Database, opened: Callable[[int], Spool], away: Away
) -> None:
    batch = [msgspec.structs.replace(one, record=large(0)) for one in batch_of({})]
    async with running(database, opened(MIB // 4)) as parts, away():
        with pytest.raises(SpoolFull):
            await parts.store(*[batch] * 20)

        assert (await parts.outage.state()).state == "full"


async def test_without_a_spool_each_request_tries_the_database(database: Database) -> None:
    outage = Outage(database, None, patience=PATIENCE)
    outage.begin(DatabaseUnavailable())

    with pytest.raises(DatabaseUnavailable):
        await outage.keep(batch_of({}))

    assert not outage.is_on
    assert (await outage.state()).state == "off"


async def test_a_spool_that_cannot_be_drained_keeps_nobody_from_the_database(
    parts: Parts, directory: Path, connection: asyncpg.Connection
) -> None:
    parts.spool.append([numbered(1)[0][0].record])
    parts.spool.close()
    (directory / "spool.sqlite").chmod(0)
    (directory / "spool.sqlite").unlink()
    (directory / "spool.sqlite").mkdir()
    parts.outage.begin(DatabaseUnavailable())

    await until(lambda: not parts.outage.is_on)
    await parts.store(*numbered(2))

    assert await count(connection) == 1
