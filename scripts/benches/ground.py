"""What the benches stand on: one server, a database for each, processes."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import psutil

from app.database import asyncpg_dsn
from scripts.benches.frame import Options, Row
from scripts.stack import Process, Stack, database, free_ports, wait_until_ready

SETTLED_SECONDS = 30.0
BARE = "scripts.benches.bare:make"


class Ground(msgspec.Struct, frozen=True):
    """An embedded PostgreSQL with one migrated database that is only ever copied."""

    data: Path
    url: str
    quick: bool

    @contextlib.contextmanager
    def database(self, name: str) -> Iterator[str]:
        """A new database like it, dropped at the end."""
        self._admin(f"CREATE DATABASE {name} TEMPLATE postgres")
        try:
            yield self._named(name)
        finally:
            self._admin(f"DROP DATABASE {name} WITH (FORCE)")

    def _named(self, name: str) -> str:
        return self.url.replace("/postgres?", f"/{name}?")

    def _admin(self, statement: str) -> None:
        ask(self._named("template1"), statement)

    @contextlib.contextmanager
    def stack(self) -> Iterator[Stack]:
        with Stack(self.data / "logs") as stack:
            yield stack

    def postgres(self) -> psutil.Process:
        pid_file = self.data / "postgres" / "postmaster.pid"
        return psutil.Process(int(pid_file.read_text().split()[0]))


@contextlib.contextmanager
def ground(options: Options) -> Iterator[Ground]:
    """All of it in a directory that is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="prodsentinel-bench-") as directory,
        database(Path(directory)) as url,
    ):
        yield Ground(Path(directory), url, options.quick)


@contextlib.contextmanager
def ground_or_kept(options: Options) -> Iterator[Ground]:
    """One in the directory that the caller named, which stays; else a new one."""
    if options.data is None:
        with ground(options) as made:
            yield made
        return
    data = options.data.resolve()
    with database(data) as url:
        yield Ground(data, url, options.quick)


def ask(url: str, *statements: str) -> Any:
    """Run the statements, each on its own; the single value of the last."""

    async def run() -> Any:
        connection = await asyncpg.connect(asyncpg_dsn(url))
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(run())


class Api(msgspec.Struct, frozen=True):
    """A running API process."""

    process: Process
    port: int

    @property
    def pid(self) -> int:
        return self.process.popen.pid


def start_api(stack: Stack, url: str, name: str = "api", **environment: str) -> Api:
    """`prodsentinel serve`, once it has read its catalogue and has nothing else to do."""
    (port,) = free_ports(1)
    process = stack.start(
        name,
        *("app", "serve"),
        DATABASE_URL=url,
        PRODSENTINEL_PORT=str(port),
        PRODSENTINEL_LOG_LEVEL="warning",
        **environment,
    )
    wait_until_settled(process, port)
    return Api(process, port)


def wait_until_settled(process: Process, port: int) -> None:
    """Until it answers and has read its catalogue."""
    health = f"http://127.0.0.1:{port}/ingest/health"
    wait_until_ready(process, health)
    deadline = time.monotonic() + SETTLED_SECONDS
    while time.monotonic() < deadline and not httpx.get(health).json()["known_issues"]:
        time.sleep(0.1)


def start_bare(stack: Stack, server: str = "uvicorn") -> Api:
    """The handler that only decodes and answers; it has one route: any answer says it is there."""
    (port,) = free_ports(1)
    process = stack.start(f"bare-{server}", *server_command(server, BARE, port))
    wait_until_ready(process, f"http://127.0.0.1:{port}/nothing", status=404)
    return Api(process, port)


def server_command(server: str, factory: str, port: int) -> tuple[str, ...]:
    """Arguments of `python -m`: one worker, uvloop, no access log, five seconds to stop in."""
    commands: dict[str, tuple[str, ...]] = {
        "uvicorn": (
            *("uvicorn", factory, "--factory", "--port", str(port), "--log-level", "warning"),
            *("--no-access-log", "--loop", "uvloop", "--http", "httptools"),
            *("--timeout-graceful-shutdown", "5"),
        ),
        "granian": (
            *("granian", factory, "--factory", "--port", str(port), "--log-level", "warning"),
            *("--interface", "asgi", "--loop", "uvloop", "--workers", "1", "--http", "1"),
            *("--workers-kill-timeout", "5"),
        ),
        "hypercorn": (
            *("hypercorn", f"{factory}()", "--bind", f"127.0.0.1:{port}"),
            *("--log-level", "warning", "--worker-class", "uvloop", "--workers", "1"),
            *("--graceful-timeout", "5"),
        ),
    }
    return commands[server]


def cpu_seconds(*roots: psutil.Process) -> float:
    """Of the processes, those they started, and those of these that ended meanwhile."""
    total = 0.0
    for root in roots:
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total


class CpuMeter:
    """Processor time that API, database and sender took, in milliseconds for 1,000 records."""

    def __init__(self, ground: Ground, *apis: Api) -> None:
        self._apis = [psutil.Process(api.pid) for api in apis]
        self._postgres = ground.postgres()
        self._spent = {"API": 0.0, "PostgreSQL": 0.0, "sender": 0.0}
        self._records = 0

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        api, postgres = cpu_seconds(*self._apis), cpu_seconds(self._postgres)
        yield
        self._spent["API"] += cpu_seconds(*self._apis) - api
        self._spent["PostgreSQL"] += cpu_seconds(self._postgres) - postgres

    def add(self, *, records: int, sender: float) -> None:
        self._records += records
        self._spent["sender"] += sender

    def rows(self, what: str) -> Iterator[Row]:
        for who, seconds in self._spent.items():
            value = seconds * 1e6 / self._records if self._records else None
            yield Row(f"{what}: CPU of {who} for 1,000 records", value, "ms", "", None)
