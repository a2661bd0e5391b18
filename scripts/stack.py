"""Starts and stops the whole of it: PostgreSQL, the API, the fake services, their traffic."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import httpx
import msgspec

from app.embedded import EmbeddedServer
from app.migrate import migrate

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 30.0
STOP_SECONDS = 10.0


class StackError(Exception):
    """Something did not start; the message says what, and where its log is."""


class Process(msgspec.Struct, frozen=True):
    """A process this script started, and therefore stops."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> None:
        """Ask, wait, then insist."""
        if self.popen.poll() is not None:
            return
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; held together, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def is_free(port: int) -> bool:
    """Whether nobody listens on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def require_free(port: int) -> None:
    """Raises `StackError` when somebody listens on the port."""
    if not is_free(port):
        raise StackError(
            f"port {port} is taken; stop what listens there or choose another with --port"
        )


@contextlib.contextmanager
def database(data_dir: Path, url: str = "") -> Iterator[str]:
    """A migrated database: the one at `url`, or an embedded one under `data_dir`."""
    server = None if url else EmbeddedServer(data_dir)
    try:
        found = server.url if server else url
        migrate(found)
        yield found
    finally:
        if server:
            server.stop()


class Stack:
    """Processes in the order they were started; left in the opposite one."""

    def __init__(self, log_dir: Path) -> None:
        log_dir.mkdir(parents=True, exist_ok=True)
        self._log_dir = log_dir
        self._processes: list[Process] = []
        self._tasks: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.stop()

    def start(self, name: str, *arguments: str, **environment: str) -> Process:
        """Run `python -m …` with its output in a log file; the terminal's Ctrl-C is ours alone."""
        log = self._log_dir / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        process = Process(name, popen, log)
        self._processes.append(process)
        return process

    def start_task(self, name: str, *arguments: str) -> Process:
        """The same for what has an end of its own."""
        process = self.start(name, *arguments)
        self._tasks.append(process)
        return process

    def start_api(self, database_url: str, port: int, **environment: str) -> str:
        """The service on 127.0.0.1; its base URL, once it is ready."""
        url = f"http://127.0.0.1:{port}"
        process = self.start(
            "api",
            "app",
            "serve",
            DATABASE_URL=database_url,
            PRODSENTINEL_HOST="127.0.0.1",
            PRODSENTINEL_PORT=str(port),
            **environment,
        )
        wait_until_ready(process, f"{url}/ingest/health")
        return url

    def start_fake_services(self, api_url: str, ports: list[int]) -> dict[str, str]:
        """Gateway, payment and inventory; their base URLs, once they are ready."""
        gateway, payment, inventory = (f"http://127.0.0.1:{port}" for port in ports)
        urls = {"inventory": inventory, "payment": payment, "gateway": gateway}
        processes = [
            self.start(
                name,
                "fake_services",
                name,
                "--port",
                url.rpartition(":")[2],
                PRODSENTINEL_URL=api_url,
                PAYMENT_URL=payment,
                INVENTORY_URL=inventory,
            )
            for name, url in urls.items()
        ]
        for process, url in zip(processes, urls.values(), strict=True):
            wait_until_ready(process, f"{url}/health")
        return urls

    def stopped(self) -> Process | None:
        """A process that ended though nobody asked it to."""
        staying = (process for process in self._processes if process not in self._tasks)
        return next((process for process in staying if process.popen.poll() is not None), None)


def wait_until_ready(
    process: Process, url: str, *, seconds: float = START_SECONDS, status: int = 200
) -> None:
    """Until the URL answers so. Raises `StackError` when the process ends or takes too long."""
    deadline = time.monotonic() + seconds
    with httpx.Client(timeout=2) as client:
        while time.monotonic() < deadline:
            if process.popen.poll() is not None:
                raise StackError(f"{process.name} ended at start:\n{_tail(process.log)}")
            with contextlib.suppress(httpx.TransportError):
                if client.get(url).status_code == status:
                    return
            time.sleep(0.05)
    raise StackError(f"{process.name} was not ready after {seconds:.0f} s:\n{_tail(process.log)}")


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
