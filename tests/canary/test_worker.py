"""The canary beside the service: in its process, and its metrics."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from prometheus_client import REGISTRY

from app.canary.findings import Plan
from app.canary.worker import CanaryWorker
from app.database import asyncpg_dsn
from scripts.stack import Stack, free_ports

pytestmark = pytest.mark.anyio


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path) as opened:
        yield opened


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value(
        "prodsentinel_canary_records_total", {"outcome": outcome}
    ) or 0.0  # fmt: skip


@contextlib.asynccontextmanager
async def watching(
    url: str, tell_loss: Callable[[dict[str, int]], None] | None = None
) -> AsyncIterator[None]:
    plan = Plan(rate=10, wait=1)
    worker = asyncio.create_task(CanaryWorker(url, plan, tell_loss=tell_loss).run())
    try:
        yield
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def until_more(outcome: str, than: float) -> None:
    async with asyncio.timeout(30):
        while True:
            if counted(outcome) > than:
                return
            await asyncio.sleep(0.05)


async def test_what_is_read_back_and_what_is_lost_shows_in_the_metrics(
    database_url: str, stack: Stack
) -> None:
    url = stack.start_api(database_url, free_ports(1)[0])
    connection = await asyncpg.connect(asyncpg_dsn(database_url))
    readable, missing = counted("readable"), counted("missing")
    losses: list[dict[str, int]] = []
    async with watching(url, losses.append):
        await until_more("readable", readable)
        assert counted("missing") == missing
        assert losses == []
        await connection.execute("DELETE FROM log_records")
        await until_more("missing", missing)
    await connection.close()

    success = "prodsentinel_canary_last_success_timestamp_seconds"
    assert losses[0]["missing"] > 0
    assert time.time() - (REGISTRY.get_sample_value(success) or 0) < 60
    assert (REGISTRY.get_sample_value("prodsentinel_canary_readable_seconds_count") or 0) > 0


async def test_it_waits_for_a_service_that_is_not_there_yet(
    database_url: str, stack: Stack
) -> None:
    (port,) = free_ports(1)
    readable, unanswered = counted("readable"), counted("unanswered")
    async with watching(f"http://127.0.0.1:{port}"):
        await asyncio.sleep(1)
        # In a thread: the worker under test shares this loop.
        await asyncio.to_thread(stack.start_api, database_url, port)
        await until_more("readable", readable)

    assert counted("unanswered") == unanswered


async def test_a_service_with_a_rate_writes_to_itself_and_stops_when_told(
    database_url: str, stack: Stack
) -> None:
    url = stack.start_api(database_url, free_ports(1)[0], PRODSENTINEL_CANARY_RATE="20")
    process = stack._processes[-1]
    async with httpx.AsyncClient(base_url=url) as client, asyncio.timeout(30):
        while True:
            shown = (await client.get("/metrics")).text
            if "prodsentinel_records_accepted_total 0.0" not in shown:
                break
            await asyncio.sleep(0.05)

    process.stop()

    assert 'prodsentinel_canary_records_total{outcome="missing"} 0.0' in shown
    # As without a canary: uvicorn ends by the signal it was sent, not by a harder one.
    assert process.popen.returncode == -signal.SIGTERM
    assert "canary_failed" not in process.log.read_text()
    assert "Traceback" not in process.log.read_text()
