"""A sender that keeps books, and the law: sent with 202 == stored exactly once."""

import asyncio
import contextlib
import enum
import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec

from app.database import asyncpg_dsn
from tests.faults.rig import until

Raw = dict[str, Any]

PATIENCE_SECONDS: Final = 40.0
"""How long the service may take to bring into the database what it has acknowledged."""
_KINDS: Final = ("ValueError", "KeyError", "TimeoutError", "OSError", "TypeError")
_NDJSON: Final = {"Content-Type": "application/x-ndjson"}


class Fate(enum.Enum):
    """What the sender knows of a record."""

    ACKNOWLEDGED = "202"
    REFUSED = "named in `rejected`, or the request got 4xx"
    UNKNOWN = "no answer, or one that promises nothing: sent again it must be stored once"


class Ledger:
    """Records by their ID, and what became of each."""

    def __init__(self, *, clock_offset: timedelta = timedelta()) -> None:
        self.records: dict[UUID, Raw] = {}
        self.fates: dict[UUID, Fate] = {}
        self.answers: Counter[int | str] = Counter()
        self.clock_offset = clock_offset
        self._numbers = itertools.count()

    def make(self, count: int, *, errors: bool = False) -> list[Raw]:
        """New records: every fifth an error (or all), five to a chain."""
        made = [self._record(next(self._numbers), errors=errors) for _ in range(count)]
        self.records |= {UUID(record["record_id"]): record for record in made}
        return made

    def _record(self, number: int, *, errors: bool) -> Raw:
        record: Raw = {
            "service": f"service-{number % 3}",
            "message": f"order {number} went through",
            "record_id": str(uuid4()),
            "timestamp": (datetime.now(UTC) + self.clock_offset).isoformat(),
            "correlation_id": f"chain-{id(self)}-{number // 5}",
            "attributes": {"number": number},
        }
        if errors or number % 5 == 0:
            kind = _KINDS[number // 5 % len(_KINDS)]
            record |= {"level": "error", "exception": {"type": kind, "message": f"no {kind}"}}
        return record

    def having(self, *fates: Fate) -> set[UUID]:
        return {name for name, fate in self.fates.items() if fate in fates}

    async def send(self, client: httpx.AsyncClient, records: list[Raw]) -> httpx.Response | None:
        """One request: a single record as JSON, more as NDJSON. None when there was no answer."""
        one = len(records) == 1
        content = "\n".join(map(json.dumps, records))
        headers = {"Content-Type": "application/json"} if one else _NDJSON
        try:
            answer = await client.post("/ingest/logs", content=content, headers=headers)
        except httpx.TransportError as error:
            self._note(records, Fate.UNKNOWN, type(error).__name__)
            return None
        self._note_answer(records, answer)
        return answer

    def _note_answer(self, records: list[Raw], answer: httpx.Response) -> None:
        if answer.status_code == 202:
            self._note(records, Fate.ACKNOWLEDGED, 202)
            refused = [records[item["index"]] for item in answer.json()["rejected"]]
            self._note(refused, Fate.REFUSED, "rejected")
        else:
            # 429 and 503 come before anything is stored, or after a commit whose answer was lost.
            definite = answer.status_code < 500 and answer.status_code != 429
            self._note(records, Fate.REFUSED if definite else Fate.UNKNOWN, answer.status_code)

    def _note(self, records: Iterable[Raw], fate: Fate, answer: int | str) -> None:
        for record in records:
            name = UUID(record["record_id"])
            if fate is Fate.UNKNOWN and self.fates.get(name) is Fate.ACKNOWLEDGED:
                continue  # what was promised once stays promised
            self.fates[name] = fate
            self.answers[answer] += 1

    async def until_taken(self, count: int) -> None:
        """Until more records than these were answered with 202, however slow this machine is."""

        async def are_taken() -> bool:
            return self.answers[202] > count

        await until(are_taken, seconds=PATIENCE_SECONDS)

    async def resend(self, url: str, *, acknowledged: int = 50) -> None:
        """Send what is unknown until it is acknowledged, and some that is known once more."""
        async with asyncio.timeout(PATIENCE_SECONDS), httpx.AsyncClient(base_url=url) as client:
            again = itertools.islice(self.having(Fate.ACKNOWLEDGED), acknowledged)
            await self.send(client, [self.records[name] for name in again] or self.make(1))
            while unknown := self.having(Fate.UNKNOWN):
                for chunk in _chunks([self.records[name] for name in unknown], 200):
                    await self.send(client, chunk)
                await asyncio.sleep(0.1)


def _chunks(records: list[Raw], size: int) -> Iterable[list[Raw]]:
    return (records[start : start + size] for start in range(0, len(records), size))


@contextlib.asynccontextmanager
async def load(
    ledger: Ledger, url: str, *, senders: int = 4, timeout_seconds: float = 5.0
) -> AsyncIterator[None]:
    """Senders that post singles and batches until the block ends, whatever they are answered."""
    done = asyncio.Event()
    limits = httpx.Timeout(timeout_seconds)
    async with httpx.AsyncClient(base_url=url, timeout=limits) as client, asyncio.TaskGroup() as go:
        for number in range(senders):
            chance = random.Random(number)  # noqa: S311 - no secret
            go.create_task(_sender(ledger, client, done, chance))
        try:
            yield
        finally:
            done.set()


async def _sender(
    ledger: Ledger, client: httpx.AsyncClient, done: asyncio.Event, chance: random.Random
) -> None:
    while not done.is_set():
        answer = await ledger.send(client, ledger.make(chance.choice((1, 1, 1, 2, 20))))
        await asyncio.sleep(0.02 if answer is not None and answer.status_code == 202 else 0.05)


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What the database holds, to be held against a ledger."""

    stored: Counter[UUID]
    errors: Counter[str]
    """Stored records by signature."""
    counted: dict[str, int]
    """What `signatures` says of that."""
    chains_with_errors: set[str]
    failing_chains: set[str]


async def read_books(database_url: str) -> Books:
    connection = await asyncpg.connect(asyncpg_dsn(database_url))
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return Books(
                stored=Counter(await _column(connection, "SELECT record_id FROM log_records")),
                errors=Counter(await _column(connection, _SIGNED)),
                counted=dict(
                    await connection.fetch("SELECT signature_id, records FROM signatures")
                ),
                chains_with_errors=set(await _column(connection, _CHAINS)),
                failing_chains=set(
                    await _column(connection, "SELECT correlation_id FROM failing_chains")
                ),
            )
    finally:
        await connection.close()


_SIGNED: Final = "SELECT signature_id FROM log_records WHERE signature_id IS NOT NULL"
_CHAINS: Final = "SELECT correlation_id FROM log_records WHERE level >= 'ERROR'"


async def _column(connection: asyncpg.Connection, query: str) -> list[Any]:
    return [row[0] for row in await connection.fetch(query)]


async def books_once_stored(database_url: str, expected: set[UUID]) -> Books:
    """The books once they hold all of these, or at the end of all patience."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while True:
        books = await read_books(database_url)
        if expected <= books.stored.keys() or asyncio.get_running_loop().time() > deadline:
            return books
        await asyncio.sleep(0.2)


async def hold_the_law(ledger: Ledger, url: str, database_url: str) -> Books:
    """Sent with 202 == stored exactly once; what was sent again without a 202 is, too."""
    acknowledged = ledger.having(Fate.ACKNOWLEDGED)
    books = await books_once_stored(database_url, acknowledged)
    assert not acknowledged - books.stored.keys(), "acknowledged and lost"
    _agree(books, ledger)

    await ledger.resend(url)
    expected = ledger.records.keys() - ledger.having(Fate.REFUSED)
    books = await books_once_stored(database_url, expected)
    assert expected == books.stored.keys()
    _agree(books, ledger)
    return books


def _agree(books: Books, ledger: Ledger) -> None:
    assert not [name for name, times in books.stored.items() if times > 1], "stored twice"
    assert not ledger.having(Fate.REFUSED) & books.stored.keys(), "refused and stored"
    assert books.stored.keys() <= ledger.records.keys(), "stored and never sent"
    assert books.errors == books.counted, "signatures miscounted"
    assert books.chains_with_errors == books.failing_chains
