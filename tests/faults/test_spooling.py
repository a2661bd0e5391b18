"""The spool: without its database the service goes on saying 202, and means it."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from app.database import asyncpg_dsn
from tests.faults.ledger import Fate, Ledger, hold_the_law, load, read_books
from tests.faults.proxy import Proxy
from tests.faults.rig import QUIETLY, Api, held, until_waiting
from tests.faults.waiting import SPOOL_FILE, records_waiting, until_drained, written_at

pytestmark = pytest.mark.anyio


@contextlib.contextmanager
def spool_locked(home: Path) -> Iterator[None]:
    """The write lock of the file, held by another process's transaction."""
    with contextlib.closing(sqlite3.connect(home / SPOOL_FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def fill(ledger: Ledger, api: Api, *, requests: int, size: int = 1) -> None:
    """Requests one after another; each of them must get its 202."""
    async with httpx.AsyncClient(base_url=api.url, timeout=20) as client:
        for _ in range(requests):
            answer = await ledger.send(client, ledger.make(size))
            assert answer is not None
            assert answer.status_code == 202


async def test_normal_traffic_never_touches_the_spool(api: Api, shared_url: str) -> None:
    ledger, before = Ledger(), written_at(api.home)
    async with load(ledger, api.url, senders=3):
        await asyncio.sleep(1)

    assert ledger.answers.keys() == {202}
    assert records_waiting(api.home) == 0
    assert written_at(api.home) == before
    await hold_the_law(ledger, api.url, shared_url)


async def test_records_wait_on_disk_while_the_database_is_away(
    api: Api, proxy: Proxy, shared_url: str
) -> None:
    ledger = Ledger()
    proxy.leave()
    await fill(ledger, api, requests=5, size=20)
    away = await api.until_health(database="unreachable")
    waiting = records_waiting(api.home)

    proxy.come_back()
    back = await api.until_health(database="ok", status="ok")

    assert away["database"] == "unreachable"
    assert waiting == 100
    assert back["database"] == "ok"
    await hold_the_law(ledger, api.url, shared_url)
    await until_drained(api.home)


async def test_what_waits_is_stored_in_the_order_it_came(
    api: Api, proxy: Proxy, shared_url: str
) -> None:
    ledger = Ledger()
    proxy.leave()
    await fill(ledger, api, requests=40)
    proxy.come_back()
    await until_drained(api.home)

    connection = await asyncpg.connect(asyncpg_dsn(shared_url))
    rows = await connection.fetch("SELECT record_id, xmin::text::bigint FROM log_records")
    await connection.close()

    transactions = {row[0]: row[1] for row in rows}
    in_order = [transactions[name] for name in ledger.records]
    assert len(in_order) == 40
    assert in_order == sorted(in_order)


async def test_killed_while_spooling(api: Api, proxy: Proxy, shared_url: str) -> None:
    ledger = Ledger()
    proxy.leave()
    async with load(ledger, api.url, senders=3):
        for round_ in range(2):
            await asyncio.sleep(0.7 + 0.23 * round_)
            await api.kill()
            await api.start()
        await ledger.until_taken(100)
    assert len(ledger.having(Fate.ACKNOWLEDGED)) > 100
    assert not (await read_books(shared_url)).stored

    proxy.come_back()

    await hold_the_law(ledger, api.url, shared_url)
    await until_drained(api.home)


async def test_killed_while_a_write_to_the_spool_waits(
    api: Api, proxy: Proxy, shared_url: str
) -> None:
    ledger = Ledger()
    proxy.leave()
    await fill(ledger, api, requests=3)
    async with load(ledger, api.url, senders=3):
        with spool_locked(api.home):
            await asyncio.sleep(1)
            await api.kill()
        await api.start()
        await asyncio.sleep(0.3)

    proxy.come_back()

    books = await hold_the_law(ledger, api.url, shared_url)

    assert books.stored.keys() == ledger.records.keys()


async def test_killed_while_draining_before_the_commit(
    api: Api, proxy: Proxy, shared_url: str
) -> None:
    ledger = Ledger()
    proxy.leave()
    await fill(ledger, api, requests=20, size=20)
    async with held(shared_url, "LOCK TABLE log_records IN EXCLUSIVE MODE") as watch:
        proxy.come_back()
        await until_waiting(watch, "")
        await api.kill()

    assert records_waiting(api.home) == 400
    await api.start()
    await hold_the_law(ledger, api.url, shared_url)


async def test_killed_while_draining_after_the_commit(
    api: Api, proxy: Proxy, shared_url: str
) -> None:
    ledger = Ledger()
    proxy.leave()
    await fill(ledger, api, requests=20, size=20)
    proxy.withholding_commits = True
    proxy.come_back()
    await asyncio.wait_for(proxy.withheld.wait(), 20)
    await api.kill()
    proxy.withholding_commits = False

    assert (await read_books(shared_url)).stored
    assert records_waiting(api.home) == 400
    await api.start()
    await hold_the_law(ledger, api.url, shared_url)


async def test_killed_at_any_moment_of_a_drain_under_load(
    api: Api, proxy: Proxy, shared_url: str
) -> None:
    ledger = Ledger()
    async with load(ledger, api.url, senders=3):
        for round_ in range(2):
            proxy.leave()
            await asyncio.sleep(0.6)
            proxy.come_back()
            await asyncio.sleep(0.3 + 0.4 * round_)
            await api.kill()
            await api.start()

    books = await hold_the_law(ledger, api.url, shared_url)

    assert books.stored.keys() == ledger.records.keys()
    await until_drained(api.home)


async def test_two_processes_share_the_spool_of_a_host(
    api: Api, proxy: Proxy, shared_url: str
) -> None:
    ledger = Ledger()
    async with Api(proxy.url, api.home, **QUIETLY) as second:
        proxy.leave()
        async with load(ledger, api.url, senders=3), load(ledger, second.url, senders=3):
            await asyncio.sleep(1)
            await second.kill()
            await ledger.until_taken(50)
        proxy.come_back()

        assert ledger.answers[202] > 50
        await hold_the_law(ledger, api.url, shared_url)
