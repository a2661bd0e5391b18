import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from scripts.stack import ROOT, free_ports


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        check=False, capture_output=True, text=True, timeout=60, cwd=ROOT,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_an_unreachable_database_is_one_line() -> None:
    done = run("migrate", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")

    assert done.returncode == 2
    assert done.stderr.startswith("prodsentinel: PostgreSQL cannot be used")
    assert len(done.stderr.splitlines()) == 1


def test_a_data_directory_that_cannot_be_made_names_its_variable() -> None:
    done = run("migrate", PRODSENTINEL_DATA_DIR="/proc/nowhere", DATABASE_URL="")

    assert done.returncode == 2
    assert "PRODSENTINEL_DATA_DIR='/proc/nowhere' cannot be used" in done.stderr


def test_sigterm_stops_the_service_and_its_embedded_postgresql(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    environment = {
        **os.environ,
        "DATABASE_URL": "",
        "PRODSENTINEL_DATA_DIR": str(tmp_path),
        "PRODSENTINEL_PORT": str(port),
    }
    with (tmp_path / "log").open("wb") as log:
        service = subprocess.Popen(
            [sys.executable, "-m", "app", "serve", "--migrate"],
            cwd=ROOT, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}/ingest/health").raise_for_status()
            break
        except httpx.HTTPError:
            time.sleep(0.1)
    postgres = int((tmp_path / "postgres" / "postmaster.pid").read_text().split()[0])

    service.send_signal(signal.SIGTERM)
    code = service.wait(30)

    assert code == 0, (tmp_path / "log").read_text()[-2000:]
    assert not is_alive(postgres)


def is_alive(pid: int) -> bool:
    """A process that ended but whom nobody asked for its exit code counts as ended."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_help_names_the_commands() -> None:
    done = run("--help")

    assert done.returncode == 0
    assert {"serve", "migrate", "signature"} <= set(done.stdout.split())
