"""PostgreSQL really goes away under a real service process, and comes back."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from app.embedded import EmbeddedServer
from app.migrate import migrate
from scripts.stack import Stack, StackError, free_ports

RECORD = {"service": "s", "message": "m", "correlation_id": "away"}


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path)
    try:
        yield server
    finally:
        server.stop()


def wait_for_status(client: httpx.Client, status: int, seconds: float = 30) -> httpx.Response:
    deadline = time.monotonic() + seconds
    while True:
        answer = client.get("/ingest/health")
        if answer.status_code == status or time.monotonic() > deadline:
            return answer
        time.sleep(0.1)


def kill_postgres(data_dir: Path) -> None:
    pid = int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs(family, timeout=10)


def test_without_its_database_the_service_says_so_and_recovers_by_itself(
    own_server: EmbeddedServer, tmp_path: Path
) -> None:
    migrate(own_server.url)
    with Stack(tmp_path / "logs") as stack:
        url = stack.start_api(
            own_server.url, free_ports(1)[0], PRODSENTINEL_POOL_TIMEOUT_SECONDS="1"
        )
        with httpx.Client(base_url=url, timeout=20) as client:
            assert client.post("/ingest/logs", json=RECORD).status_code == 202

            kill_postgres(tmp_path)
            refused = client.post("/ingest/logs", json=RECORD)
            health = wait_for_status(client, 503)

            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            assert refused.headers["content-type"] == "application/problem+json"
            assert health.json()["database"] == "unreachable"

            returned = EmbeddedServer(tmp_path)
            try:
                assert wait_for_status(client, 200).json()["database"] == "ok"
                assert client.post("/ingest/logs", json=RECORD).status_code == 202
                assert len(client.get("/api/chains/away").json()["records"]) == 2
            finally:
                returned.stop()


def test_a_service_started_without_its_database_serves_once_it_is_there(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    migrate(server.url)
    url = server.url
    server.stop()
    port = free_ports(1)[0]
    with Stack(tmp_path / "logs") as stack:
        stack.start(
            "api", "app", "serve", DATABASE_URL=url, PRODSENTINEL_PORT=str(port),
        )  # fmt: skip
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                try:
                    assert client.get("/ingest/health").status_code == 503
                    break
                except httpx.ConnectError:
                    time.sleep(0.1)
            returned = EmbeddedServer(tmp_path)
            try:
                assert wait_for_status(client, 200).status_code == 200
                assert client.post("/ingest/logs", json=RECORD).status_code == 202
            finally:
                returned.stop()


@pytest.mark.parametrize(
    ("name", "value"),
    [("PRODSENTINEL_PORT", "http"), ("DATABASE_URL", "mysql://host/db")],
)
def test_a_wrong_setting_stops_the_process_at_once_and_is_named(
    tmp_path: Path, name: str, value: str
) -> None:
    with Stack(tmp_path / "logs") as stack:
        process = stack.start("api", "app", "serve", **{name: value})

        code = process.popen.wait(20)

    assert code == 2
    assert name in process.log.read_text()


def test_a_database_that_is_not_migrated_stops_the_start_and_says_what_to_run(
    own_server: EmbeddedServer, tmp_path: Path
) -> None:
    with Stack(tmp_path / "logs") as stack, pytest.raises(StackError, match="prodsentinel migrate"):
        stack.start_api(own_server.url, free_ports(1)[0])
