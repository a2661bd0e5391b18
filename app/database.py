"""Engine, connections, and the one place where driver errors become ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from sqlalchemy import Executable, MetaData, Text, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from app.errors import AppError
from app.settings import Settings

ROLLBACK_SECONDS: Final = 0.5
"""What a server gets to undo a statement that took too long; then its connection is closed."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Identifiers compare byte by byte: faster than any locale, and the same on every machine.
Token = Text(collation="C")


class DatabaseUnavailable(AppError):
    """PostgreSQL cannot be reached or has no connection to spare; try again shortly."""


class ReadersBusy(AppError):
    """Other searches hold every connection for them; try again shortly."""


class TookTooLong(AppError):
    """A statement was ended because it ran for longer than it may."""


def sqlalchemy_url(url: str) -> URL:
    """The URL as SQLAlchemy wants it: with the driver in the scheme."""
    return make_url(url).set(drivername="postgresql+asyncpg")


def asyncpg_dsn(url: str) -> str:
    """The URL as asyncpg wants it: asyncpg refuses a driver in the scheme."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


# SQLSTATE classes 08 (connection), 53 (resources), 57 (operator intervention), 28 (login), and a
# database that is missing, takes no connections, or is read-only, as it is on a standby.
_UNAVAILABLE = (
    OSError,
    asyncio.TimeoutError,
    PoolTimeout,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InternalClientError,
)


def is_unavailable(error: BaseException) -> bool:
    """Whether a driver error says that the database, not the statement, is at fault."""
    if isinstance(error, DBAPIError):
        cause = getattr(error.orig, "__cause__", None)
        return error.connection_invalidated or (cause is not None and is_unavailable(cause))
    # asyncpg's client-side DataError is an InterfaceError too: there the value is at fault. And a
    # statement that took too long is of class 57: there the statement is.
    at_fault = (ValueError, asyncpg.QueryCanceledError)
    return isinstance(error, _UNAVAILABLE) and not isinstance(error, at_fault)


# Somebody else was in the way, or the statement took too long: lock_not_available, query_canceled,
# and class 40, which holds deadlocks.
_PASSING = (
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.TransactionRollbackError,
)


def may_pass(error: BaseException) -> bool:
    """Whether the same statement may well succeed at another time."""
    cause = getattr(error.orig, "__cause__", None) if isinstance(error, DBAPIError) else error
    return isinstance(cause, _PASSING)


def _was_cancelled(error: BaseException) -> bool:
    cause = getattr(error.orig, "__cause__", None) if isinstance(error, DBAPIError) else error
    return isinstance(cause, asyncpg.QueryCanceledError)


# A plan for any value would not know that `level >= $1` is what the index of errors is made for.
_OF_READERS: Final = {
    "application_name": "prodsentinel-search",
    "default_transaction_read_only": "on",
    "plan_cache_mode": "force_custom_plan",
    # A search takes one core: the others belong to whoever writes.
    "max_parallel_workers_per_gather": "0",
}


class Database:
    """The pools of one process; opens nothing until it is first used."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url = url
        self._settings = settings
        self.own_connections = 0
        self.engine = _make_engine(url, settings, size=settings.pool_size)
        # Of their own: whoever searches may wait for another searcher, never the records.
        self._readers = _make_engine(
            url, settings, size=settings.search_connections, server_settings=_OF_READERS
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._reading = async_sessionmaker(self._readers, expire_on_commit=False)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end, rolled back when the body raises."""
        try:
            async with self._sessions() as session, session.begin():
                yield session
        except (DBAPIError, *_UNAVAILABLE) as error:
            if is_unavailable(error):
                raise DatabaseUnavailable from error
            raise

    @asynccontextmanager
    async def reading(
        self, *, seconds: float, locking: Executable | None = None
    ) -> AsyncIterator[AsyncSession]:
        """A transaction that only reads, in the searches' own pool; each statement for so long.

        `locking`: a LOCK TABLE; behind it all statements read of one moment. It keeps partitions
        from changing: which there are every statement sees at once, whatever its moment.

        Raises `ReadersBusy`, `TookTooLong`, `DatabaseUnavailable`.
        """
        milliseconds = str(max(1, int(seconds * 1000)))
        try:
            async with self._reading() as session, session.begin():
                if locking is not None:
                    level = {"isolation_level": "REPEATABLE READ"}
                    await session.connection(execution_options=level)
                    await session.execute(locking)
                await session.execute(
                    select(func.set_config("statement_timeout", milliseconds, True))
                )
                yield session
        except PoolTimeout as error:
            raise ReadersBusy from error
        except (DBAPIError, *_UNAVAILABLE) as error:
            if _was_cancelled(error):
                raise TookTooLong from error
            if is_unavailable(error):
                raise DatabaseUnavailable from error
            raise

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Any]:
        """The asyncpg connection itself: SQLAlchemy has no COPY."""
        try:
            async with self.engine.connect() as connection:
                raw = await connection.get_raw_connection()
                yield raw.driver_connection
        except (DBAPIError, *_UNAVAILABLE) as error:
            if is_unavailable(error):
                raise DatabaseUnavailable from error
            raise

    def own_connection(self, *, is_relaxed: bool = False) -> "OwnConnection":
        """For a worker that needs one all the time. Relaxed: commits do not wait for the disk."""
        return OwnConnection(self, {"synchronous_commit": "off"} if is_relaxed else {})

    async def connect(self, server_settings: dict[str, str]) -> Any:
        """An asyncpg connection outside the pool. Raises what asyncpg raises."""
        arguments = _connection_arguments(self._settings)
        arguments["server_settings"] |= server_settings
        return await asyncpg.connect(asyncpg_dsn(self._url), **arguments)

    def connections_used(self) -> int:
        pools: tuple[Any, ...] = (self.engine.pool, self._readers.pool)
        return sum(int(pool.checkedout()) for pool in pools) + self.own_connections

    async def close(self) -> None:
        await self.engine.dispose()
        await self._readers.dispose()


class OwnConnection:
    """One connection that a worker keeps: opened when it is needed, thrown away when it fails.

    asyncpg's own, without the codecs of SQLAlchemy: COPY is a third faster with those in C.
    """

    def __init__(self, database: Database, server_settings: dict[str, str]) -> None:
        self._database = database
        self._server_settings = server_settings
        self._driver: Any = None

    @asynccontextmanager
    async def use(self, *, seconds: float) -> AsyncIterator[Any]:
        """The asyncpg connection, for so long. Raises `DatabaseUnavailable`, `TimeoutError`."""
        # What a timeout cancels ends with a ROLLBACK, and a frozen server does not answer that.
        last_moment = asyncio.get_running_loop().call_later(seconds + ROLLBACK_SECONDS, self.drop)
        try:
            async with asyncio.timeout(seconds), self._kept() as driver:
                yield driver
        finally:
            last_moment.cancel()

    @asynccontextmanager
    async def _kept(self) -> AsyncIterator[Any]:
        try:
            if self._driver is None or self._driver.is_closed():
                self.drop()
                self._driver = await self._database.connect(self._server_settings)
                self._database.own_connections += 1
            yield self._driver
        except BaseException as error:
            # Also when cancelled: what a half-done statement left behind is nobody's to read.
            self.drop()
            if is_unavailable(error):
                raise DatabaseUnavailable from error
            raise

    def drop(self) -> None:
        """Close at once, whatever is under way."""
        if self._driver is not None:
            self._driver.terminate()
            self._driver = None
            self._database.own_connections -= 1


def _connection_arguments(settings: Settings) -> dict[str, Any]:
    return {
        "timeout": settings.connect_timeout_seconds,
        "server_settings": {
            "application_name": "prodsentinel",
            "statement_timeout": str(int(settings.statement_timeout_seconds * 1000)),
            "timezone": "UTC",
            "jit": "off",
        },
    }


def _make_engine(
    url: str, settings: Settings, *, size: int, server_settings: dict[str, str] | None = None
) -> AsyncEngine:
    arguments = _connection_arguments(settings)
    arguments["server_settings"] |= server_settings or {}
    engine = create_async_engine(
        sqlalchemy_url(url),
        pool_size=size,
        max_overflow=0,
        pool_timeout=settings.pool_timeout_seconds,
        # An error would show the values of its statement: secrets of targets, log records.
        hide_parameters=True,
        connect_args=arguments,
    )

    # Cheaper than pool_pre_ping: asyncpg already knows when its socket was closed.
    @event.listens_for(engine.sync_engine, "checkout")
    def _refuse_closed(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
        if dbapi_connection.driver_connection.is_closed():
            raise DisconnectionError

    return engine
