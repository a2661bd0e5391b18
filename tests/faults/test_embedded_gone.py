"""kill -9 of the PostgreSQL that `prodsentinel serve` brought along: it is started again."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.ledger import Fate, Ledger, hold_the_law, load
from tests.faults.rig import Api, kill_postgres

pytestmark = pytest.mark.anyio


def url_of(data_dir: Path) -> str:
    """Its own account of where it listens."""
    lines = (data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
    return f"postgresql://postgres@/postgres?host={lines[4]}"


async def test_an_embedded_server_that_was_killed_is_started_again(tmp_path: Path) -> None:
    ledger = Ledger()
    api = Api("", tmp_path)
    try:
        await api.start("--migrate")
        async with load(ledger, api.url):
            await asyncio.sleep(0.5)
            await asyncio.to_thread(kill_postgres, tmp_path / "data")
            back = await api.until_health(status="ok", database="ok", spool="empty")
            before = len(ledger.having(Fate.ACKNOWLEDGED))
            await asyncio.sleep(0.5)

        assert back["status"] == "ok"
        assert len(ledger.having(Fate.ACKNOWLEDGED)) > before > 0
        await hold_the_law(ledger, api.url, url_of(tmp_path / "data"))
    finally:
        await api.__aexit__()

    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()
