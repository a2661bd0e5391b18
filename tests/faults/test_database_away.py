"""PostgreSQL really goes away under a real service process, and comes back."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.embedded import EmbeddedServer
from scripts.stack import Stack, StackError, free_ports
from tests.faults.rig import kill_postgres

RECORD = {"service": "s", "message": "m", "correlation_id": "away"}


def health(client: httpx.Client) -> dict[str, Any]:
    answer = client.get("/ingest/health")
    return {"code": answer.status_code, **answer.json()}


def wait_for_health(client: httpx.Client, **expected: object) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while not expected.items() <= (found := health(client)).items():
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def test_without_database_and_spool_the_service_says_503_and_recovers_by_itself(
    own_server: EmbeddedServer, tmp_path: Path
) -> None:
    with Stack(tmp_path / "logs") as stack:
        url = stack.start_api(
            own_server.url, free_ports(1)[0],
            PRODSENTINEL_DATA_DIR=str(tmp_path / "api"),
            PRODSENTINEL_POOL_TIMEOUT_SECONDS="1",
            PRODSENTINEL_SPOOL_MAX_BYTES="0",
        )  # fmt: skip
        with httpx.Client(base_url=url, timeout=20) as client:
            assert client.post("/ingest/logs", json=RECORD).status_code == 202

            kill_postgres(tmp_path)
            refused = client.post("/ingest/logs", json=RECORD)
            away = health(client)

            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            assert refused.headers["content-type"] == "application/problem+json"
            assert (away["code"], away["status"]) == (503, "unavailable")
            assert (away["database"], away["spool"]) == ("unreachable", "off")

            returned = EmbeddedServer(tmp_path)
            try:
                assert wait_for_health(client, status="ok")["database"] == "ok"
                assert client.post("/ingest/logs", json=RECORD).status_code == 202
                assert len(client.get("/api/chains/away").json()["records"]) == 2
            finally:
                returned.stop()


def test_a_service_started_without_its_database_spools_until_it_is_there(
    own_server: EmbeddedServer, tmp_path: Path
) -> None:
    own_server.stop()
    with Stack(tmp_path / "logs") as stack:
        url = stack.start_api(
            own_server.url, free_ports(1)[0], PRODSENTINEL_DATA_DIR=str(tmp_path / "api")
        )
        with httpx.Client(base_url=url, timeout=20) as client:
            assert client.post("/ingest/logs", json=RECORD).status_code == 202
            away = health(client)
            returned = EmbeddedServer(tmp_path)
            try:
                back = wait_for_health(client, status="ok", spool="empty")
                chain = client.get("/api/chains/away").json()
            finally:
                returned.stop()

    assert (away["code"], away["status"], away["spooled_records"]) == (200, "spooling", 1)
    assert (back["code"], back["database"], back["spooled_records"]) == (200, "ok", 0)
    assert len(chain["records"]) == 1


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
    server: EmbeddedServer, tmp_path: Path
) -> None:
    with Stack(tmp_path / "logs") as stack, pytest.raises(StackError, match="prodsentinel migrate"):
        stack.start_api(server.url, free_ports(1)[0], PRODSENTINEL_DATA_DIR=str(tmp_path / "api"))
