"""kill -9 of PostgreSQL under load, and its return."""

import asyncio
from pathlib import Path

import pytest

from app.embedded import EmbeddedServer
from tests.faults.ledger import Fate, Ledger, hold_the_law, load
from tests.faults.rig import Api, kill_postgres

pytestmark = pytest.mark.anyio


async def test_postgres_killed_under_load_and_back(
    own_server: EmbeddedServer, tmp_path: Path
) -> None:
    ledger = Ledger()
    async with Api(own_server.url, tmp_path) as api:
        async with load(ledger, api.url, senders=3):
            await asyncio.sleep(0.7)
            await asyncio.to_thread(kill_postgres, tmp_path)
            away = await api.until_health(database="unreachable")
            await asyncio.sleep(1)
            returned = await asyncio.to_thread(EmbeddedServer, tmp_path)
            back = await api.until_health(database="ok", status="ok")
            before = len(ledger.having(Fate.ACKNOWLEDGED))
            await asyncio.sleep(0.7)

        try:
            assert away["database"] == "unreachable"
            assert (back["database"], back["status"]) == ("ok", "ok")
            assert len(ledger.having(Fate.ACKNOWLEDGED)) > before > 0
            await hold_the_law(ledger, api.url, own_server.url)
        finally:
            await asyncio.to_thread(returned.stop)
