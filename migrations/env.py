"""Alembic's environment: an async engine, bridged with `run_sync`, one migration run at a time."""

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import app.alerts.tables
import app.catalogue.tables
import app.incidents.tables
import app.query.tables
import app.store.tables  # noqa: F401 - each import fills the metadata
from app.database import metadata, sqlalchemy_url

# Replicas that start together: one migrates, the others wait and find it done.
_LOCK = "SELECT pg_advisory_lock(hashtext('prodsentinel.migrations'))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtext('prodsentinel.migrations'))"


def include_object(_thing: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
    """Daily partitions come and go with the service, not with migrations; models name no others."""
    partitions = ("log_records_", "record_counts_")
    return not (kind == "table" and (name or "").startswith(partitions))


def run(connection: Connection) -> None:
    connection.execute(text("SET lock_timeout = '10s'"))
    connection.execute(text("SET statement_timeout = '10min'"))
    connection.execute(text(_LOCK))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=include_object,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.execute(text(_UNLOCK))
    connection.commit()


async def run_online() -> None:
    engine = create_async_engine(
        sqlalchemy_url(context.config.attributes["database_url"]), poolclass=NullPool
    )
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


asyncio.run(run_online())
