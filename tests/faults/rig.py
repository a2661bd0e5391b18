"""What the faults are done to: API processes and PostgreSQL servers, stopped by their pid."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final, Self

import asyncpg
import httpx
import psutil

from app.database import asyncpg_dsn
from scripts.stack import Process, Stack, free_ports

QUICK: Final = {
    "PRODSENTINEL_POOL_TIMEOUT_SECONDS": "1",
    "PRODSENTINEL_CONNECT_TIMEOUT_SECONDS": "1",
    "PRODSENTINEL_QUIET_SECONDS": "0",
}
"""Waits cut short, so that a test sees the end of them."""
QUIETLY: Final = {"PRODSENTINEL_LOG_LEVEL": "error"}
"""The limit that stands for a full disk must not hit the log first."""


class Api:
    """One API process after another, on the same port, database and files."""

    def __init__(self, database_url: str, home: Path, **environment: str) -> None:
        port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        self.home = home
        self._stack = Stack(home / "logs")
        self._environment = {
            "DATABASE_URL": database_url,
            "PRODSENTINEL_DATA_DIR": str(home / "data"),
            "PRODSENTINEL_HOST": "127.0.0.1",
            "PRODSENTINEL_PORT": str(port),
            **QUICK,
            **environment,
        }
        self._running: Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._stack.__exit__)

    @property
    def process(self) -> psutil.Process:
        assert self._running is not None
        return psutil.Process(self._running.popen.pid)

    def process_is_alive(self) -> bool:
        return self._running is not None and self._running.popen.poll() is None

    @property
    def log(self) -> str:
        assert self._running is not None
        return self._running.log.read_text(errors="replace")

    async def start(self, *arguments: str) -> None:
        """Until it answers; with its database away it answers, too."""
        self._running = self._stack.start("api", "app", "serve", *arguments, **self._environment)
        await until(self._answers, seconds=30)

    async def _answers(self) -> bool:
        assert self._running is not None
        assert self._running.popen.poll() is None, self.log
        with contextlib.suppress(httpx.TransportError):
            await self.health()
            return True
        return False

    async def kill(self) -> None:
        """kill -9; returns when it is gone."""
        assert self._running is not None
        self._running.popen.kill()
        await asyncio.to_thread(self._running.popen.wait, 10)

    async def health(self) -> dict[str, Any]:
        async with httpx.AsyncClient(timeout=10) as client:
            answer = (await client.get(f"{self.url}/ingest/health")).json()
        return dict(answer)

    async def until_health(self, *, seconds: float = 20, **expected: object) -> dict[str, Any]:
        """Wait until health says so; what it says then, or at the end of that time."""
        health: dict[str, Any] = {}

        async def says_so() -> bool:
            nonlocal health
            with contextlib.suppress(httpx.TransportError):
                health = await self.health()
            return expected.items() <= health.items()

        with contextlib.suppress(TimeoutError):
            await until(says_so, seconds=seconds)
        return health


async def until(holds: Callable[[], Any], *, seconds: float = 20) -> None:
    """Wait for an async condition. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - it asks other processes
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def held(database_url: str, lock: str) -> AsyncIterator[asyncpg.Connection]:
    """A lock that somebody else holds, as in `LOCK TABLE signatures IN EXCLUSIVE MODE`."""
    connection = await asyncpg.connect(asyncpg_dsn(database_url))
    try:
        async with connection.transaction():
            await connection.execute(lock)
            yield connection
    finally:
        await connection.close()


async def until_waiting(connection: asyncpg.Connection, statement: str) -> None:
    """Until a statement that starts so waits for a lock in this database."""

    async def waits() -> Any:
        # A transaction sees the activity as it was at its first look.
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        return await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock' AND ltrim(query, E' \\n') LIKE $1",
            f"{statement}%",
        )

    await until(waits)


async def until_digested(connection: asyncpg.Connection) -> None:
    """Until no failing chain waits for the digest."""

    async def no_mark_waits() -> Any:
        return await connection.fetchval("SELECT count(*) = 0 FROM chain_marks")

    await until(no_mark_waits, seconds=40)


async def empty(database_url: str) -> None:
    """No record, and nothing that came of one. Idle first: a digest at work would deadlock."""
    connection = await asyncpg.connect(asyncpg_dsn(database_url))

    async def done() -> bool:
        # What counts records locks them in another order, and never for long.
        with contextlib.suppress(asyncpg.DeadlockDetectedError):
            await connection.execute(
                "TRUNCATE log_records, signatures, failing_chains, incident_chains, incidents,"
                " matches, incident_roots, incident_hours, incident_findings, incident_evidence,"
                " events, failing_counts"
            )
            return True
        return False

    try:
        await until_digested(connection)
        await until(done)
    finally:
        await connection.close()


def postgres_family(data_dir: Path) -> list[psutil.Process]:
    """The postmaster of the embedded server under `data_dir`, and its children."""
    pid = int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def kill_postgres(data_dir: Path) -> None:
    """kill -9 of the postmaster; its children notice and leave."""
    family = postgres_family(data_dir)
    os.kill(family[0].pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


@contextlib.contextmanager
def frozen(data_dir: Path) -> Iterator[None]:
    """SIGSTOP for the whole of the server, and SIGCONT at the end."""
    family = postgres_family(data_dir)
    _signal(family, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(family, signal.SIGCONT)


def _signal(family: list[psutil.Process], number: signal.Signals) -> None:
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
