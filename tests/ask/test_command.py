"""The command against a real service process."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import asyncpg
import httpx
import pytest
from sqlalchemy.engine import make_url

from app.ask.command import visible
from app.database import asyncpg_dsn
from app.embedded import EmbeddedServer
from scripts.stack import ROOT, Stack, free_ports

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def database_url(server: EmbeddedServer, migrated: str) -> AsyncIterator[str]:
    admin = await asyncpg.connect(asyncpg_dsn(server.url))
    await admin.execute(f"CREATE DATABASE ask TEMPLATE {make_url(migrated).database}")
    yield server.url.replace("/postgres?", "/ask?")
    await admin.execute("DROP DATABASE ask WITH (FORCE)")
    await admin.close()


@pytest.fixture(scope="module")
def api(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Stack(tmp_path_factory.mktemp("logs")) as stack:
        url = stack.start_api(database_url, free_ports(1)[0])
        records = [
            {"service": "payment", "level": "error", "message": "card \x1b[31mdeclined\nfor o-17"},
            {"service": "payment", "message": "card accepted"},
        ]
        for record in records:
            httpx.post(f"{url}/ingest/logs", json=record).raise_for_status()
        yield url


async def ask(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "app", "logs", "--url", url, *arguments],
        check=False, capture_output=True, text=True, timeout=60, cwd=ROOT,
    )  # fmt: skip


async def test_records_are_shown_in_the_order_of_time(api: str) -> None:
    done = await ask(api, "service:payment", "card", "--from", "-1h")

    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0].endswith(r"ERROR    payment card \x1b[31mdeclined")
    assert lines[1] == "  for o-17"
    assert lines[2].endswith("INFO     payment card accepted")


async def test_as_json_they_are_what_the_service_answers(api: str) -> None:
    done = await ask(api, "service:payment level:>=error", "--json")

    (record,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert record["message"] == "card \x1b[31mdeclined\nfor o-17"


async def test_the_newest_are_shown_when_there_are_more(api: str) -> None:
    done = await ask(api, "card", "--limit", "1")

    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["accepted"]


async def test_nothing_found_is_told_by_the_exit_code(api: str) -> None:
    done = await ask(api, "--", "-card service:payment")

    assert (done.returncode, done.stdout) == (1, "")


async def test_a_wrong_search_is_pointed_at(api: str) -> None:
    done = await ask(api, "card levl:error")

    assert done.returncode == 2
    assert done.stderr.splitlines()[1:] == ["  card levl:error", "       ^"]
    assert 'the nearest is "level"' in done.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "no url", "http://["])
async def test_a_service_that_is_not_there_is_one_line(url: str) -> None:
    done = await ask(url, "card")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


async def test_control_characters_are_spelled_out() -> None:
    assert visible("a\tb\x1b[0mé\r") == r"a\tb\x1b[0mé\r"
