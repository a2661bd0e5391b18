"""What the README shows is what happens: its commands are run, its answers compared."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded import EmbeddedServer
from app.migrate import migrate
from scripts.stack import Stack, free_ports

README = (Path(__file__).resolve().parent.parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
CURLS = [(n, text) for n, (kind, text) in enumerate(BLOCKS) if kind == "bash" and "curl" in text]


@pytest.fixture(scope="module")
def api(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    migrate(server.url)
    with Stack(tmp_path_factory.mktemp("logs")) as stack:
        yield stack.start_api(server.url, free_ports(1)[0], PRODSENTINEL_QUIET_SECONDS="0")


def run(command: str, api: str) -> str:
    done = subprocess.run(
        ["bash", "-c", command.replace("http://127.0.0.1:8000", api)],  # noqa: S607
        check=True, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    return done.stdout


def test_the_readme_shows_a_first_record_by_curl() -> None:
    assert "/ingest/logs" in CURLS[0][1]
    assert len(CURLS) >= 3


def test_each_curl_of_the_readme_gives_the_answer_it_shows(api: str) -> None:
    compared = 0
    for place, command in CURLS:
        answer = json.loads(run(command, api))
        kind, shown = BLOCKS[place + 1]
        if kind == "json":
            assert answer == json.loads(shown), command
            compared += 1

    assert compared == 2


def test_the_first_record_is_read_back_at_once(api: str) -> None:
    run(CURLS[0][1], api)

    chain = json.loads(run(CURLS[1][1], api))

    assert chain["correlation_id"] == "order-1001"
    assert chain["root"]["service"] == "payment"
