"""A real PostgreSQL for the session; a database of its own, cloned in milliseconds, for a test."""

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
import hypothesis
import pytest
from litestar import Litestar
from sqlalchemy.engine import make_url

from app.database import Database, asyncpg_dsn
from app.embedded import EmbeddedServer
from app.main import create_app
from app.migrate import migrate
from app.settings import Settings

_numbers = itertools.count(1)

# No deadline and no speed check: machines are shared and noisy. No database: no files left behind.
hypothesis.settings.register_profile(
    "shared-machine",
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("shared-machine")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    with tempfile.TemporaryDirectory(prefix="prodsentinel-tests-") as directory:
        started = EmbeddedServer(Path(directory))
        try:
            yield started
        finally:
            started.stop()


def _renamed(url: str, database: str) -> str:
    return url.replace("/postgres?", f"/{database}?")


@pytest.fixture(scope="session")
async def migrated(server: EmbeddedServer) -> str:
    """A database with every migration run, that no test writes to."""
    admin = await asyncpg.connect(asyncpg_dsn(server.url))
    await admin.execute("CREATE DATABASE migrated")
    await admin.close()
    url = _renamed(server.url, "migrated")
    await asyncio.to_thread(migrate, url)
    return url


@pytest.fixture
async def database_url(server: EmbeddedServer, migrated: str) -> AsyncIterator[str]:
    name, template = f"test_{next(_numbers)}", make_url(migrated).database
    admin = await asyncpg.connect(asyncpg_dsn(server.url))
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _renamed(server.url, name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(
        database_url=database_url,
        data_dir=str(tmp_path),
        quiet_seconds=0,
        digest_interval_seconds=0.05,
    )


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    opened = Database(settings.database_url, settings)
    yield opened
    await opened.close()


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(asyncpg_dsn(database_url))
    yield opened
    await opened.close()


@asynccontextmanager
async def running(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """The app with its workers, and a client that speaks to it in this same loop."""
    transport = httpx.ASGITransport(cast("Any", app))  # two spellings of one ASGI type
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://test") as c:
        # The catalogue is read beside the first requests.
        for _ in range(600):
            if (await c.get("/ingest/health")).json()["known_issues"]:
                break
            await asyncio.sleep(0.05)
        yield c


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with running(create_app(settings)) as opened:
        yield opened
