"""PostgreSQL stops answering without closing a connection: SIGSTOP, for 20 seconds."""

import asyncio
import time
from collections.abc import Awaitable
from pathlib import Path

import httpx
import pytest

from app.embedded import EmbeddedServer
from tests.faults.ledger import Fate, Ledger, hold_the_law, load
from tests.faults.rig import Api, frozen, held, until_waiting

pytestmark = pytest.mark.anyio

FROZEN_SECONDS = 20
SPOOL_AFTER_SECONDS = 2


async def timed(work: Awaitable[object]) -> float:
    started = time.perf_counter()
    await work
    return time.perf_counter() - started


async def test_postgres_frozen_under_load_and_back(
    own_server: EmbeddedServer, tmp_path: Path
) -> None:
    ledger = Ledger()
    async with Api(own_server.url, tmp_path) as api:
        async with load(ledger, api.url, senders=2):
            await asyncio.sleep(0.7)
            with frozen(tmp_path):
                thaw = asyncio.get_running_loop().time() + FROZEN_SECONDS
                meanwhile = await api.until_health(database="unreachable", seconds=FROZEN_SECONDS)
                await asyncio.sleep(thaw - asyncio.get_running_loop().time())
            back = await api.until_health(database="ok", status="ok")
            before = len(ledger.having(Fate.ACKNOWLEDGED))
            await asyncio.sleep(0.7)

        assert len(ledger.having(Fate.ACKNOWLEDGED)) > before > 0
        assert back["database"] == "ok"
        await hold_the_law(ledger, api.url, own_server.url)
        assert meanwhile.get("database") == "unreachable"


async def test_a_lone_sender_is_answered_whatever_its_transaction_was_doing(
    own_server: EmbeddedServer, tmp_path: Path
) -> None:
    ledger, lock = Ledger(), "LOCK TABLE log_records IN EXCLUSIVE MODE"
    async with (
        Api(own_server.url, tmp_path) as api,
        httpx.AsyncClient(base_url=api.url, timeout=8) as client,
    ):
        await ledger.send(client, ledger.make(1))
        with frozen(tmp_path):
            between = await timed(ledger.send(client, ledger.make(1)))
            health = await client.get("/ingest/health")
        await api.until_health(status="ok", database="ok", spool="empty")

        async with held(own_server.url, lock) as watch, asyncio.TaskGroup() as senders:
            sending = senders.create_task(timed(ledger.send(client, ledger.make(1))))
            await until_waiting(watch, "COPY")
            with frozen(tmp_path):
                in_the_middle = await sending

        assert ledger.answers.keys() == {202}
        assert max(between, in_the_middle) < SPOOL_AFTER_SECONDS + 1.5
        assert health.status_code == 200
        assert (health.json()["status"], health.json()["database"]) == ("spooling", "unreachable")
        await hold_the_law(ledger, api.url, own_server.url)
