"""The first command of the README, run as a person runs it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from scripts.stack import free_ports

ROOT = Path(__file__).resolve().parent.parent.parent
UP = [sys.executable, str(ROOT / "scripts" / "up.py")]


def test_verify_shows_the_fix_of_a_failure_that_really_happened() -> None:
    done = subprocess.run(
        [*UP, "--verify"], check=False, capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 0, done.stdout + done.stderr
    for expected in ("gateway → payment → inventory", "ArgumentError", "text("):
        assert expected in done.stdout
    assert "raw-sql-text" in done.stdout


def bare(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`up.py` of a fresh checkout, by a Python that has nothing but its standard library."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    command = [sys.executable, "-I", "-S", str(tmp_path / "scripts" / "up.py"), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_printed_at_once_and_nothing_is_installed(tmp_path: Path, option: str) -> None:
    done = bare(tmp_path, option)

    assert (done.returncode, done.stderr) == (0, "")
    for name in ("--verify", "--no-traffic", "--port", "--data", "--database-url"):
        assert name in done.stdout
    assert [one.name for one in tmp_path.iterdir()] == ["scripts"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--prot", "1"], "--prot"), (["--port", "x"], "1 to 65535"), (["--port", "65536"], "--port")],
)
def test_a_wrong_option_is_named_before_anything_is_installed(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = bare(tmp_path, *arguments)

    assert done.returncode == 2
    assert words in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["scripts"]


def wait_for(url: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"{url} did not answer within {seconds} s")


def start(data: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    command = [*UP, "--port", str(port), "--data", str(data)]
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, env=os.environ.copy())


def test_ctrl_c_stops_all_it_started_and_a_second_start_finds_its_data(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    api = f"http://127.0.0.1:{port}"
    record = {"service": "s", "message": "kept", "correlation_id": "kept"}
    for run in (1, 2):
        up = start(tmp_path / "data", port, tmp_path / f"{run}.log")
        try:
            wait_for(f"{api}/ingest/health")
            if run == 1:
                assert httpx.post(f"{api}/ingest/logs", json=record).status_code == 202
            family = psutil.Process(up.pid).children(recursive=True)
            kept = httpx.get(f"{api}/api/chains/kept").json()["records"]
            settings = httpx.get(f"{api}/settings").text
        finally:
            up.send_signal(signal.SIGINT)
            code = up.wait(60)

        assert code == 0, (tmp_path / f"{run}.log").read_text()
        assert len(kept) == 1
        assert f"<code>{tmp_path / 'data'}</code>" in settings
        assert not [process for process in family if process.is_running()]
        assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*UP, "--port", str(port), "--data", str(tmp_path)],
            check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    assert done.returncode == 1
    assert f"port {port} is taken" in done.stdout
