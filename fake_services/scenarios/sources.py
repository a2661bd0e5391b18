"""The source files that scenarios write and run; each holds the mistake that it is about."""

from pathlib import Path
from typing import Final

SETTLEMENT: Final = """
import asyncio
import logging
import os

import httpx

logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)


async def send_log_to_prodsentinel(client: httpx.AsyncClient, message: str) -> None:
    answer = await client.post(
        os.environ["PRODSENTINEL_URL"] + "/ingest/logs",
        json={"service": "settlement", "message": message},
        headers={"x-correlation-id": os.environ["CORRELATION_ID"]},
    )
    answer.raise_for_status()


async def settle() -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
        for batch in ("cards", "invoices"):
            asyncio.create_task(send_log_to_prodsentinel(client, f"{batch} settled"))
            await asyncio.sleep(0.3)


asyncio.run(settle())
"""

_ALEMBIC_INI: Final = """
[alembic]
script_location = migrations

[loggers]
keys = root

[handlers]
keys = stderr

[formatters]
keys = plain

[logger_root]
level = INFO
handlers = stderr

[handler_stderr]
class = StreamHandler
args = (sys.stderr,)
formatter = plain

[formatter_plain]
format = %(levelname)-5.5s [%(name)s] %(message)s
"""

_SYNC_ENV: Final = """
import logging.config

from alembic import context
from sqlalchemy import create_engine

logging.config.fileConfig(context.config.config_file_name, disable_existing_loggers=False)


def run_migrations_online() -> None:
    with create_engine("{url}").connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()


run_migrations_online()
"""

_ASYNC_ENV: Final = """
import asyncio
import logging.config

from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine

logging.config.fileConfig(context.config.config_file_name, disable_existing_loggers=False)


def migrate(connection) -> None:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


async def run_async_migrations() -> None:
    connectable = create_async_engine("{url}")
    async with connectable.connect() as connection:
        await connection.run_sync(migrate)
    await connectable.dispose()


asyncio.run(run_async_migrations())
"""

_REVISION: Final = """
import sqlalchemy as sa
from alembic import op

revision = "4f2a"
down_revision = None


{upgrade}
    op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True))
"""

ASYNC_UPGRADE: Final = "async def upgrade() -> None:"
SYNC_UPGRADE: Final = "def upgrade() -> None:"


def write_alembic(directory: Path, *, url: str, upgrade: str) -> None:
    """An Alembic environment for the database at `url` with one revision that makes `orders`."""
    versions = directory / "migrations" / "versions"
    versions.mkdir(parents=True)
    environment = _ASYNC_ENV if "+asyncpg" in url else _SYNC_ENV
    (directory / "alembic.ini").write_text(_ALEMBIC_INI)
    (directory / "migrations" / "env.py").write_text(environment.replace("{url}", url))
    (versions / "4f2a_orders.py").write_text(_REVISION.replace("{upgrade}", upgrade))


HALF_EDITED: Final = {
    "main.py": """
from agents import conciliacion

print(conciliacion.approved([0.91, 0.42], threshold=0.8))
""",
    # The refactoring moved the comprehension away and left its tail behind.
    "agents/conciliacion.py": """
def approved(scores: list[float], *, threshold: float) -> list[float]:
    if not scores:
        return []
    rounded = [round(score, 2) for score in scores]
  >= threshold]
    return rounded
""",
}

EAGER_CLIENT: Final = {
    "main.py": """
from litestar import Litestar, get

from cache import cache


@get("/quotes", sync_to_thread=True)
def quotes() -> str:
    return cache.client.get("quotes")


app = Litestar([quotes])
""",
    "cache.py": """
import os

import redis


class CacheService:
    def __init__(self) -> None:
        self.client = redis.Redis(port=int(os.environ["REDIS_PORT"]), retry=None)
        self.client.ping()


cache = CacheService()
""",
}

EMAIL_FIELD: Final = {
    "schemas.py": """
from pydantic import BaseModel, EmailStr


class LoginRequest(BaseModel):
    email: EmailStr
    password: str
""",
    "main.py": """
from schemas import LoginRequest

print(LoginRequest.model_json_schema())
""",
}

VITE: Final = {
    "package.json": '{"name": "frontend", "type": "module", "private": true}\n',
    "index.html": "<!doctype html><title>Shop</title><p>Shop</p>\n",
    "vite.config.js": """
export default {
  server: {
    proxy: { "/api": { target: process.env.BACKEND_URL, changeOrigin: true } },
  },
};
""",
}


def write(directory: Path, files: dict[str, str]) -> None:
    """Writes the files; their names are paths within the directory."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.lstrip("\n"))
