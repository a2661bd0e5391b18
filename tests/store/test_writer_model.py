"""Any interleaving of batches, duplicates and failures gives the set of records a model gives."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.database import asyncpg_dsn
from app.store.batch import SignedRecord
from app.store.writer import write_batch
from tests.store.test_writer import _unstorable, batch_of

pytestmark = pytest.mark.anyio


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong before the `step`-th statement of a write, or after it was carried out."""

    kind: str
    step: int


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request: which records of the pool, in which order, and its fault."""

    records: tuple[int, ...]
    fault: Fault | None = None


def _pool() -> list[SignedRecord]:
    """Timed and untimed, with and without errors, in shared chains; the last two are poison."""
    made: list[SignedRecord] = []
    for n in range(14):
        fields: dict[str, Any] = {
            "record_id": f"00000000-0000-7000-8000-{n:012}",
            "correlation_id": f"chain-{n % 4}",
        }
        if n % 3:
            fields["timestamp"] = f"2026-11-{18 + n % 3}T11:00:{n:02}Z"
        if n % 2:
            fields |= {"level": "error", "message": ("boom", "out of memory", "refused")[n % 3]}
        made += batch_of(fields)
    return [*made[:12], *map(_unstorable, made[12:])]


POOL: Final = _pool()
POISON: Final = frozenset({12, 13})
BROKEN: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's last words came before the socket's end
    asyncio.CancelledError,
)

faults = st.builds(
    Fault, kind=st.sampled_from(["terminate", "lose the answer", "cancel"]), step=st.integers(0, 9)
)
attempts = st.builds(
    Attempt,
    records=st.lists(st.integers(0, len(POOL) - 1), min_size=1, max_size=10).map(tuple),
    fault=st.none() | faults,
)
rounds_of_attempts = st.lists(st.lists(attempts, min_size=1, max_size=3), min_size=1, max_size=4)


class FaultyDriver:
    """A real connection whose fault comes at a chosen statement; begin and commit count too."""

    def __init__(self, connection: Any, fault: Fault | None, killer: asyncpg.Connection) -> None:
        self._connection = connection
        self._fault = fault
        self._killer = killer
        self._pid = connection.get_server_pid()
        self._statements = 0

    async def copy_records_to_table(self, *arguments: Any, **options: Any) -> Any:
        return await self._do(self._connection.copy_records_to_table, *arguments, **options)

    async def fetch(self, *arguments: Any) -> Any:
        return await self._do(self._connection.fetch, *arguments)

    async def execute(self, *arguments: Any) -> Any:
        return await self._do(self._connection.execute, *arguments)

    @asynccontextmanager
    async def transaction(self) -> Any:
        real = self._connection.transaction()
        await self._do(real.start)
        try:
            yield
        except BaseException:
            if not self._connection.is_closed():
                await real.rollback()
            raise
        await self._do(real.commit)

    async def _do(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        due = self._fault is not None and self._fault.step == self._statements
        self._statements += 1
        if self._fault is None or not due:
            return await call(*arguments, **options)
        if self._fault.kind == "lose the answer":
            await call(*arguments, **options)
        if self._fault.kind == "cancel":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        else:
            await self._killer.execute("SELECT pg_terminate_backend($1, 5000)", self._pid)
        return await call(*arguments, **options)


class Bench:
    """Connections by turn: a broken one is replaced, as the pool does."""

    def __init__(self, url: str, killer: asyncpg.Connection) -> None:
        self._url = url
        self.killer = killer
        self.acknowledged: set[int] = set()
        self.attempted: set[int] = set()

    async def write(self, attempt: Attempt) -> bool:
        """Whether it was acknowledged. Whatever is refused must be poison."""
        self.attempted |= set(attempt.records)
        connection = await asyncpg.connect(asyncpg_dsn(self._url))
        driver = FaultyDriver(connection, attempt.fault, self.killer)
        try:
            outcome = await write_batch(driver, [POOL[number] for number in attempt.records])
        except BROKEN:
            assert attempt.fault
            return False
        finally:
            await connection.close(timeout=5)
        poison = [number for number in attempt.records if number in POISON]
        assert len(outcome.refused) == len(poison)
        assert outcome.stored + outcome.resent + len(poison) == len(attempt.records)
        self.acknowledged |= set(attempt.records)
        return True


async def stored(connection: asyncpg.Connection) -> set[int]:
    """Which records of the pool are stored; each once."""
    rows = await connection.fetch("SELECT record_id::text FROM log_records")
    numbers = [int(row["record_id"][-12:]) for row in rows]
    assert len(numbers) == len(set(numbers))
    return set(numbers)


async def assert_accounts_agree(connection: asyncpg.Connection, numbers: set[int]) -> None:
    """Signatures count, and chains are marked for, exactly these records."""
    signed = [POOL[number] for number in numbers if POOL[number].signature]
    counted = dict(await connection.fetch("SELECT signature_id, records FROM signatures"))
    failing = await connection.fetch("SELECT correlation_id FROM failing_chains")
    names = [one.signature.signature_id for one in signed if one.signature]

    assert counted == Counter(names)
    assert {row[0] for row in failing} == {one.record.correlation_id for one in signed}


async def empty(connection: asyncpg.Connection) -> None:
    await connection.execute("TRUNCATE log_records, signatures, failing_chains, chain_marks")


@given(rounds=rounds_of_attempts)
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_any_interleaving_stores_what_the_model_stores(
    database_url: str, connection: asyncpg.Connection, rounds: list[list[Attempt]]
) -> None:
    await empty(connection)
    bench = Bench(database_url, connection)
    again: list[Attempt] = []

    for round_ in rounds:
        tasks = [asyncio.create_task(bench.write(attempt)) for attempt in round_]
        told = await asyncio.gather(*tasks)
        again += [a for a, acknowledged in zip(round_, told, strict=True) if not acknowledged]
        there = await stored(connection)
        assert bench.acknowledged - POISON <= there <= bench.attempted - POISON
        await assert_accounts_agree(connection, there)

    for attempt in again:
        assert await bench.write(msgspec.structs.replace(attempt, fault=None))

    assert await stored(connection) == bench.attempted - POISON
    await assert_accounts_agree(connection, bench.attempted - POISON)
