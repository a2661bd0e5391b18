"""PostgreSQL stops answering without closing a connection: SIGSTOP, for 20 seconds."""

import asyncio
from pathlib import Path

import pytest

from app.embedded import EmbeddedServer
from tests.faults.ledger import Fate, Ledger, hold_the_law, load
from tests.faults.rig import Api, frozen

pytestmark = pytest.mark.anyio

FROZEN_SECONDS = 20


async def test_postgres_frozen_under_load_and_back(
    own_server: EmbeddedServer, tmp_path: Path
) -> None:
    ledger = Ledger()
    async with Api(own_server.url, tmp_path) as api:
        async with load(ledger, api.url):
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
