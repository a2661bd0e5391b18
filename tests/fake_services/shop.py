"""Real processes of the fake services, and a real HTTP receiver for what they tell."""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
"""Seconds that anything may take before a test calls it hung; never a measure of speed."""


class Receiver(http.server.ThreadingHTTPServer):
    """Stands where ProdSentinel would: keeps every record posted to it, and answers 202."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.records: list[dict[str, Any]] = []
        self.wrong_requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def chain(self, correlation_id: str, *, until: int) -> list[dict[str, Any]]:
        """The records of one request, once there are `until` of them."""
        wait_until(lambda: len(self._of(correlation_id)) >= until)
        return self._of(correlation_id)

    def errors(self, correlation_id: str, *, of: set[str]) -> dict[str, dict[str, Any]]:
        """Service to exception, once all of these services have reported theirs."""

        def found() -> dict[str, dict[str, Any]]:
            records = self._of(correlation_id)
            return {one["service"]: one["exception"] for one in records if one["level"] == "ERROR"}

        wait_until(lambda: of <= set(found()))
        return found()

    def _of(self, correlation_id: str) -> list[dict[str, Any]]:
        return [one for one in list(self.records) if one.get("correlation_id") == correlation_id]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path != "/ingest/logs" or self.headers["content-type"] != "application/json":
            self.server.wrong_requests.append(self.path)
        self.server.records.append(json.loads(body))
        answer = b'{"accepted":1,"rejected":[]}'
        self.send_response(202)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


class Shop:
    """The three services, running; `checkout` sends an order through them."""

    def __init__(self, gateway: str, processes: list[subprocess.Popen[bytes]]) -> None:
        self.gateway = gateway
        self.processes = processes

    def checkout(self, order_id: str, **headers: str) -> httpx.Response:
        given = {"x-correlation-id": f"test-{order_id}", **headers}
        return httpx.post(
            f"{self.gateway}/checkout/{order_id}",
            headers=given,
            timeout=PATIENCE,
            trust_env=False,
        )


def wait_until(holds: Callable[[], bool]) -> None:
    """Return once `holds`; fails after `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


@contextmanager
def process(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m fake_services …`, stopped by its own pid at the end."""
    environment = os.environ | {"PYTHONWARNINGS": "error"} | variables
    command = [sys.executable, "-m", "fake_services", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as running:
        try:
            yield running
        finally:
            stop(running)


def stop(running: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
    """Ask politely, then not; the exit code."""
    if running.poll() is None:
        running.send_signal(number)
    try:
        return running.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        running.kill()
        raise


@contextmanager
def open_shop(prodsentinel_url: str, **more: str) -> Iterator[Shop]:
    """All three services on free ports, their telemetry sent to `prodsentinel_url`."""
    ports = {name: free_port() for name in ("gateway", "payment", "inventory")}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    variables = {
        "PRODSENTINEL_URL": prodsentinel_url,
        "PAYMENT_URL": urls["payment"],
        "INVENTORY_URL": urls["inventory"],
        **more,
    }
    with ExitStack() as stack:
        running = [
            stack.enter_context(process(name, "--port", str(port), **variables))
            for name, port in ports.items()
        ]
        for url in urls.values():
            wait_until(lambda url=url: healthy(url))  # type: ignore[misc]
        yield Shop(urls["gateway"], running)
