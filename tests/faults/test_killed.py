"""kill -9 of the API at each step of a write, and under load; what it promised is there after."""

import asyncio

import httpx
import pytest

from tests.faults.ledger import Fate, Ledger, hold_the_law, load, read_books
from tests.faults.proxy import Proxy
from tests.faults.rig import Api, held, until_waiting

pytestmark = pytest.mark.anyio


async def send_and_leave(ledger: Ledger, url: str) -> None:
    """Three requests at once, one of them a batch; all with errors in them."""
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        await asyncio.gather(
            ledger.send(client, ledger.make(1, errors=True)),
            ledger.send(client, ledger.make(1, errors=True)),
            ledger.send(client, ledger.make(30)),
        )


async def test_killed_before_the_copy(api: Api, shared_url: str) -> None:
    ledger = Ledger()
    lock = "LOCK TABLE log_records IN EXCLUSIVE MODE"
    async with held(shared_url, lock) as watch, asyncio.TaskGroup() as senders:
        senders.create_task(send_and_leave(ledger, api.url))
        await until_waiting(watch, "COPY")
        await api.kill()

    assert not (await read_books(shared_url)).stored
    await api.start()
    await hold_the_law(ledger, api.url, shared_url)


async def test_killed_between_copy_and_commit(api: Api, shared_url: str) -> None:
    ledger = Ledger()
    lock = "LOCK TABLE signatures IN EXCLUSIVE MODE"
    async with held(shared_url, lock) as watch, asyncio.TaskGroup() as senders:
        senders.create_task(send_and_leave(ledger, api.url))
        await until_waiting(watch, "WITH ")
        await api.kill()

    await api.start()
    books = await hold_the_law(ledger, api.url, shared_url)

    assert books.stored.keys() == ledger.records.keys()


async def test_killed_after_the_commit_before_the_answer(
    api: Api, proxy: Proxy, shared_url: str
) -> None:
    ledger = Ledger()
    proxy.withholding_commits = True
    async with asyncio.TaskGroup() as senders:
        senders.create_task(send_and_leave(ledger, api.url))
        await asyncio.wait_for(proxy.withheld.wait(), 20)
        await api.kill()
    proxy.withholding_commits = False
    stored = (await read_books(shared_url)).stored

    assert stored.keys() & ledger.having(Fate.UNKNOWN)
    await api.start()
    await hold_the_law(ledger, api.url, shared_url)


async def test_an_answer_to_commit_that_is_lost_stores_nothing_twice(
    api: Api, proxy: Proxy, shared_url: str
) -> None:
    ledger = Ledger()
    proxy.withholding_commits = True
    async with asyncio.TaskGroup() as senders:
        senders.create_task(send_and_leave(ledger, api.url))
        await asyncio.wait_for(proxy.withheld.wait(), 20)
        proxy.withholding_commits = False
        proxy.cut()

    books = await hold_the_law(ledger, api.url, shared_url)

    assert books.stored.keys() == ledger.records.keys()


async def test_killed_at_any_moment_under_load(api: Api, shared_url: str) -> None:
    ledger = Ledger()
    async with load(ledger, api.url, senders=3):
        for round_ in range(2):
            await asyncio.sleep(0.6 + 0.17 * round_)
            await api.kill()
            await api.start()
        await ledger.until_taken(100)

    assert len(ledger.having(Fate.ACKNOWLEDGED)) > 100
    await hold_the_law(ledger, api.url, shared_url)


async def test_connections_cut_under_load(api: Api, proxy: Proxy, shared_url: str) -> None:
    ledger = Ledger()
    async with load(ledger, api.url, senders=3):
        for _ in range(5):
            await asyncio.sleep(0.4)
            proxy.cut()

    health = await api.until_health(database="ok")

    assert health["database"] == "ok"
    await hold_the_law(ledger, api.url, shared_url)
