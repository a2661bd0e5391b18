"""Clocks that jump back: the sender's, and the service's own."""

import asyncio
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.faults.ledger import Fate, Ledger, books_once_stored, hold_the_law, load
from tests.faults.rig import Api, empty

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
DAYS = timedelta(days=40)


class ShiftedClock:
    """The wall clock of one process: the real one, moved by whatever `move` was told last."""

    def __init__(self, home: Path, compiler: str) -> None:
        self._file = home / "shift"
        self._library = home / "shifted_clock.so"
        source = Path(__file__).with_name("shifted_clock.c")
        flags = ("-shared", "-fPIC", "-O1", "-o", str(self._library), str(source), "-ldl")
        subprocess.run([compiler, *flags], check=True, capture_output=True, timeout=60)
        self.move(timedelta())

    def move(self, offset: timedelta) -> None:
        value = (offset // timedelta(microseconds=1)).to_bytes(8, "little", signed=True)
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(value)

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "SHIFTED_CLOCK": str(self._file)}


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> ShiftedClock:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here to build a clock that can be moved")
    return ShiftedClock(tmp_path_factory.mktemp("clock"), compiler)


@pytest.fixture(scope="module")
async def shifted(
    clock: ShiftedClock, shared_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    """A service that lives by that clock."""
    async with Api(shared_url, tmp_path_factory.mktemp("api"), **clock.environment) as started:
        yield started


@pytest.fixture
async def api(shifted: Api, clock: ShiftedClock, shared_url: str) -> AsyncIterator[Api]:
    yield shifted
    clock.move(timedelta())
    await empty(shared_url)


async def clock_of(api: Api) -> datetime:
    """What the process thinks the time is: the Date of its answers."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{api.url}/ingest/health")
    return parsedate_to_datetime(answer.headers["date"])


async def until_clock(api: Api, expected: timedelta) -> timedelta:
    """The server renews that header once a second."""
    offset = timedelta()
    for _ in range(40):
        offset = await clock_of(api) - datetime.now(UTC)
        if abs(offset - expected) < timedelta(seconds=5):
            break
        await asyncio.sleep(0.1)
    return offset


async def test_a_senders_clock_set_back_changes_nothing(api: Api, shared_url: str) -> None:
    ledger = Ledger()
    async with load(ledger, api.url):
        for offset in (timedelta(), -HOUR, -DAYS, HOUR, 100 * DAYS):
            ledger.clock_offset = offset
            await asyncio.sleep(0.3)

    assert ledger.answers.keys() == {202}
    await hold_the_law(ledger, api.url, shared_url)


async def test_the_services_clock_set_back_under_load(
    api: Api, clock: ShiftedClock, shared_url: str
) -> None:
    ledger = Ledger()
    async with load(ledger, api.url):
        for offset in (-HOUR, -DAYS, timedelta()):
            clock.move(offset)
            assert abs(await until_clock(api, offset) - offset) < timedelta(seconds=5)
            health = await api.until_health(status="ok", database="ok", digest="ok")
            assert health["status"] == "ok"
        await ledger.until_taken(100)

    assert ledger.answers.keys() == {202}
    assert len(ledger.having(Fate.ACKNOWLEDGED)) > 100
    await hold_the_law(ledger, api.url, shared_url)


def untimed(number: int) -> dict[str, Any]:
    return {
        "service": "s",
        "message": f"m{number}",
        "record_id": str(uuid4()),
        "correlation_id": f"untimed-{number // 4}",
        "level": "error" if number % 2 else "info",
    }


async def test_records_without_a_time_sent_again_after_the_clock_went_back(
    api: Api, clock: ShiftedClock, shared_url: str
) -> None:
    records = [untimed(number) for number in range(40)]
    async with httpx.AsyncClient(base_url=api.url, timeout=20) as client:
        for offset in (timedelta(), -HOUR, -DAYS):
            clock.move(offset)
            answer = await client.post("/ingest/logs", json=records)
            assert answer.status_code == 202

    books = await books_once_stored(shared_url, {UUID(r["record_id"]) for r in records})
    assert books.stored == Counter(UUID(record["record_id"]) for record in records)
    assert sum(books.counted.values()) == 20


async def test_a_service_restarted_in_its_own_past_serves(
    api: Api, clock: ShiftedClock, shared_url: str
) -> None:
    ledger = Ledger()
    async with load(ledger, api.url):
        await asyncio.sleep(0.3)
        await api.kill()
        clock.move(-DAYS)
        await api.start()
        await asyncio.sleep(0.3)

    assert (await until_clock(api, -DAYS)) < -HOUR
    await hold_the_law(ledger, api.url, shared_url)
