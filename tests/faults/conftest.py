from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from app.database import asyncpg_dsn
from app.embedded import EmbeddedServer
from app.migrate import migrate
from tests.faults.proxy import Proxy
from tests.faults.rig import Api


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A PostgreSQL that the test may kill."""
    server = EmbeddedServer(tmp_path)
    try:
        migrate(server.url)
        yield server
    finally:
        server.stop()


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with Api(database_url, tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
async def shared_url(server: EmbeddedServer, migrated: str) -> AsyncIterator[str]:
    """A database for all tests of a module."""
    admin = await asyncpg.connect(asyncpg_dsn(server.url))
    template = make_url(migrated).database
    await admin.execute(f"CREATE DATABASE shared TEMPLATE {template}")
    yield server.url.replace("/postgres?", "/shared?")
    await admin.execute("DROP DATABASE shared WITH (FORCE)")
    await admin.close()


@pytest.fixture(scope="module")
async def shared_api(
    shared_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    """One process for all tests of a module: what one of them does to it the next ones feel."""
    async with Api(shared_url, tmp_path_factory.mktemp("shared")) as started:
        yield started


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[Proxy]:
    async with Proxy(database_url) as started:
        yield started
