from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

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


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[Proxy]:
    async with Proxy(database_url) as started:
        yield started
