"""A process costs seconds to start: the tests of a module share one, and a database behind it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from sqlalchemy.engine import make_url

from app.database import asyncpg_dsn
from app.embedded import EmbeddedServer
from app.migrate import migrate
from tests.faults.ledger import Ledger
from tests.faults.proxy import Proxy
from tests.faults.rig import QUIETLY, Api, empty


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A PostgreSQL that the test may kill."""
    server = EmbeddedServer(tmp_path)
    try:
        migrate(server.url)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
async def shared_url(server: EmbeddedServer, migrated: str) -> AsyncIterator[str]:
    """The database that the tests of a module share."""
    admin = await asyncpg.connect(asyncpg_dsn(server.url))
    template = make_url(migrated).database
    await admin.execute(f"CREATE DATABASE shared TEMPLATE {template}")
    yield server.url.replace("/postgres?", "/shared?")
    await admin.execute("DROP DATABASE shared WITH (FORCE)")
    await admin.close()


@pytest.fixture(scope="module")
async def proxy(shared_url: str) -> AsyncIterator[Proxy]:
    """What stands between the shared process and its database."""
    async with Proxy(shared_url) as started:
        yield started


@pytest.fixture(scope="module")
async def shared_api(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """One process for all tests of a module: what one of them does to it the next ones feel."""
    async with Api(proxy.url, tmp_path_factory.mktemp("shared"), **QUIETLY) as started:
        yield started


@pytest.fixture
async def api(shared_api: Api, proxy: Proxy, shared_url: str) -> AsyncIterator[Api]:
    """The shared process over an empty database; whatever the test did to it is undone."""
    yield shared_api
    proxy.withholding_commits = False
    proxy.withheld.clear()
    proxy.come_back()
    if not shared_api.process_is_alive():
        await shared_api.start()
    await shared_api.until_health(status="ok", database="ok")
    await empty(shared_url)


@pytest.fixture
async def others_are_served(shared_api: Api) -> AsyncIterator[None]:
    """The same process lives on after each of these, and answers others."""
    before = shared_api.process
    yield
    ledger = Ledger()
    async with httpx.AsyncClient(base_url=shared_api.url, timeout=5) as client:
        answer = await ledger.send(client, ledger.make(2))
    assert answer is not None
    assert answer.status_code == 202
    assert shared_api.process == before
