"""When records go to the spool, and what is said once it takes no more."""

import asyncio
import time
from pathlib import Path
from secrets import token_hex
from typing import Final

import httpx
import psutil
import pytest

from tests.faults.ledger import Ledger, hold_the_law, read_books
from tests.faults.proxy import Proxy
from tests.faults.rig import QUIETLY, Api, held
from tests.faults.waiting import SPOOL_FILE, until_drained

pytestmark = pytest.mark.anyio

KB: Final = 1024
SPOOL_AFTER_SECONDS: Final = 2


async def test_a_database_that_is_slow_does_not_keep_the_sender_waiting(
    api: Api, shared_url: str
) -> None:
    ledger = Ledger()
    async with (
        httpx.AsyncClient(base_url=api.url, timeout=10) as client,
        held(shared_url, "LOCK TABLE log_records IN EXCLUSIVE MODE"),
    ):
        started = time.perf_counter()
        answers = await asyncio.gather(*(ledger.send(client, ledger.make(3)) for _ in range(5)))
        seconds = time.perf_counter() - started

    assert [answer and answer.status_code for answer in answers] == [202] * 5
    assert seconds < SPOOL_AFTER_SECONDS + 1.5
    await hold_the_law(ledger, api.url, shared_url)


async def test_a_commit_whose_answer_never_comes_is_spooled_and_not_stored_twice(
    api: Api, proxy: Proxy, shared_url: str
) -> None:
    ledger = Ledger()
    proxy.withholding_commits = True
    async with httpx.AsyncClient(base_url=api.url, timeout=10) as client:
        started = time.perf_counter()
        answer = await ledger.send(client, ledger.make(20))
        seconds = time.perf_counter() - started
    stored = (await read_books(shared_url)).stored
    proxy.withholding_commits = False
    proxy.cut()

    assert answer is not None
    assert answer.status_code == 202
    assert seconds < SPOOL_AFTER_SECONDS + 1.5
    assert stored.keys() == ledger.records.keys()
    await until_drained(api.home)
    await hold_the_law(ledger, api.url, shared_url)


async def fill_up(ledger: Ledger, client: httpx.AsyncClient) -> httpx.Response:
    """Send until the service says that it cannot take more."""
    for _ in range(100):
        records = ledger.make(20)
        for record in records:
            record["attributes"]["noise"] = token_hex(5_000)  # does not compress
        answer = await ledger.send(client, records)
        assert answer is not None
        if answer.status_code != 202:
            return answer
    raise AssertionError("it never became full")


def assert_full(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"] == "application/problem+json"
    assert "spool" in answer.json()["detail"]


async def test_a_full_disk_is_told_and_once_there_is_room_again_taken(
    api: Api, proxy: Proxy, shared_url: str
) -> None:
    ledger = Ledger()
    unlimited = psutil.RLIM_INFINITY
    async with httpx.AsyncClient(base_url=api.url, timeout=20) as client:
        proxy.leave()
        await ledger.send(client, ledger.make(1))
        api.process.rlimit(psutil.RLIMIT_FSIZE, (256 * KB, unlimited))
        full = await fill_up(ledger, client)
        health = await client.get("/ingest/health")
        api.process.rlimit(psutil.RLIMIT_FSIZE, (unlimited, unlimited))
        roomy = await ledger.send(client, ledger.make(1))
    proxy.come_back()

    assert_full(full)
    assert health.status_code == 503
    assert health.json()["database"] == "unreachable"
    assert (health.json()["status"], health.json()["spool"]) == ("unavailable", "broken")
    assert roomy is not None
    assert roomy.status_code == 202
    await hold_the_law(ledger, api.url, shared_url)


async def test_a_spool_at_its_cap_is_told_and_once_drained_taken(
    proxy: Proxy, shared_url: str, tmp_path: Path
) -> None:
    ledger = Ledger()
    cap = {"PRODSENTINEL_SPOOL_MAX_BYTES": str(1024 * KB)}
    async with (
        Api(proxy.url, tmp_path, **QUIETLY, **cap) as api,
        httpx.AsyncClient(base_url=api.url, timeout=20) as client,
    ):
        proxy.leave()
        full = await fill_up(ledger, client)
        health = await client.get("/ingest/health")
        size = (tmp_path / SPOOL_FILE).stat().st_size
        proxy.come_back()
        back = await api.until_health(status="ok", database="ok")
        await until_drained(tmp_path)
        roomy = await ledger.send(client, ledger.make(1))

        assert_full(full)
        assert health.status_code == 503
        assert health.json()["spool"] == "full"
        assert size <= 1024 * KB
        assert back["status"] == "ok"
        assert roomy is not None
        assert roomy.status_code == 202
        await hold_the_law(ledger, api.url, shared_url)
