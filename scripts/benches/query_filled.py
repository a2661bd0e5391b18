"""A server that holds so many records of the last seven days, counted and indexed by itself."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.database import asyncpg_dsn
from app.settings import Settings
from app.store import queries
from app.store.batch import signature_columns
from app.store.command import ELSEWHERE
from app.store.hot_index import index_windows
from app.store.partitions import PATIENT, make_days, partition_name
from app.store.text_index import index_name, window_of
from scripts.benches.ground import ask
from scripts.benches.loads import ROOT
from scripts.benches.query_copy import Piece, copied_elsewhere
from scripts.benches.query_records import ENVIRONMENT, errors

DAYS: Final = 7
PIECE: Final = 50_000
FILLERS: Final = 2
NEAR: Final = 0.98
"""A server filled before that holds this share of what is wanted is full enough."""
STALE: Final = timedelta(minutes=10)
LONGEST_COUNT_SECONDS: Final = 300.0
LONGEST_UPKEEP_SECONDS: Final = 3_600.0
STORED: Final = "SELECT count(*) FROM log_records"
FILLED: Final = f"SELECT count(*) FROM log_records WHERE environment = '{ENVIRONMENT}'"  # noqa: S608 - a constant
NEWEST: Final = """
    SELECT max(newest) FROM pg_inherits, LATERAL (
        SELECT max(occurred_at) AS newest FROM log_records
        WHERE tableoid = inhrelid AND occurred_at > now() - interval '8 days'
    ) AS of_partition WHERE inhparent = 'log_records'::regclass
"""
FOLLOWING: Final = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
COUNTED_BEFORE: Final = """
    SELECT coalesce(min(pg_snapshot_xmin(snapshot::pg_snapshot)::text::bigint), 0)
    FROM counted_until
"""
COUNTED: Final = f"""
    SELECT coalesce(sum(records), 0)::bigint FROM service_hours WHERE environment = '{ENVIRONMENT}'
"""  # noqa: S608 - a constant
BYTES: Final = (
    "SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('log_records')"
)
TODAY: Final = """
    SELECT count(*) FROM log_records WHERE occurred_at >= date_trunc('day', now(), 'UTC')
"""
WINDOWS: Final = r"SELECT count(*) FROM pg_class WHERE relname LIKE 'log\_records\_%\_search\_%'"


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """Records, and bytes of the table with its indexes."""

    stored: int
    filled: int
    today: int
    windows: int
    """Of today that have a text index of their own."""
    counted: int
    """Of those filled, by the service itself."""
    bytes: int


class Spent(msgspec.Struct, kw_only=True):
    """How many records were copied, and seconds that the parts of the filling took."""

    copied: int = 0
    copying: float = 0.0
    counting: float = 0.0
    indexing: float = 0.0
    vacuuming: float = 0.0


def fill_to(url: str, wanted: int) -> Spent:
    """Add records until there are so many, and up to now; a service runs there and counts."""
    spent, now = Spent(), datetime.now(UTC)
    there = int(ask(url, FILLED))
    pieces = _to_now(url, there, now) if there else []
    there += sum(piece.records for piece in pieces)
    if there < wanted * NEAR:
        since = now - timedelta(days=DAYS)
        pieces += list(_pieces(url, wanted - there, since, now, seed=there))
    if not pieces:
        # A filling that was broken off left closed days without their indexes.
        _maintain(url)
        return spent
    wait_for_first_count(url)
    with _timed(spent, "copying"), _nobody_maintains(url):
        asyncio.run(_prepare(url, now))
        spent.copied = _copy(pieces)
    with _timed(spent, "counting"):
        _wait_until_counted(url)
    with _timed(spent, "indexing"):
        _maintain(url)
    with _timed(spent, "vacuuming"):
        ask(url, "SET statement_timeout = 0", "VACUUM (ANALYZE)", "CHECKPOINT")
    return spent


def _to_now(url: str, there: int, now: datetime) -> list[Piece]:
    """What has happened since a server was filled that is used again, as much as before."""
    newest = ask(url, NEWEST)
    if newest is None or now - newest < STALE:
        return []
    missing = int(there * min((now - newest) / timedelta(days=DAYS), 1))
    return list(_pieces(url, missing, newest, now, seed=there + 1))


def _pieces(
    url: str, count: int, since: datetime, until: datetime, *, seed: int
) -> Iterator[Piece]:
    """In the order of time."""
    size = min(PIECE, max(1_000, count // 20))
    for n, first in enumerate(range(0, count, size)):
        last = min(first + size, count)
        yield Piece(
            url=url,
            records=last - first,
            since=since + (until - since) * (first / count),
            until=since + (until - since) * (last / count),
            seed=seed * 10_000 + n,
        )


@contextmanager
def _nobody_maintains(url: str) -> Iterator[None]:
    """Until the end of the block: no index is built that the filling would feed."""
    with asyncio.Runner() as runner:
        connection: Any = runner.run(asyncpg.connect(asyncpg_dsn(url)))
        try:
            for lock in (queries.TAKE_MAINTENANCE_LOCK, queries.TAKE_HOT_INDEX_LOCK):
                while not runner.run(connection.fetchval(lock)):
                    time.sleep(1)
            yield
        finally:
            runner.run(connection.close())


@contextmanager
def _timed(spent: Spent, name: str) -> Iterator[None]:
    began = time.monotonic()
    with bar() as progress:
        progress.add_task(name, total=None)
        yield
    setattr(spent, name, time.monotonic() - began)


async def _prepare(url: str, now: datetime) -> None:
    """Partitions of all the days, none of them with a text index; every signature known."""
    days = [now.date() - timedelta(days=n) for n in range(DAYS + 1)]
    connection = await asyncpg.connect(asyncpg_dsn(url))
    try:
        await make_days(connection, days, PATIENT)
        for partition in map(partition_name, days):
            for row in await connection.fetch(queries.INDEXES_OF, partition):
                if row["name"] == index_name(partition) or window_of(row["name"]):
                    await connection.execute(f"DROP INDEX {row['name']}")
        known = {row["signature_id"] for row in await connection.fetch("TABLE signatures")}
        new = {kind.signature_id: [kind.signed] for kind in errors()}
        new = {name: group for name, group in new.items() if name not in known}
        if new:
            await connection.fetch(queries.UPSERT_SIGNATURES, *signature_columns(new))
    finally:
        await connection.close()


def _copy(pieces: list[Piece]) -> int:
    """In processes of their own, with progress on standard error."""
    total = sum(piece.records for piece in pieces)
    with bar() as progress, ThreadPoolExecutor(FILLERS) as pool:
        task = progress.add_task("records copied", total=total)

        def work(own: list[Piece]) -> None:
            for records in copied_elsewhere(own):
                progress.advance(task, records)

        # Each takes every second one: together they go on in the order of time.
        list(pool.map(work, [pieces[n::FILLERS] for n in range(FILLERS)]))
    return total


def bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)


def _wait_until_counted(url: str) -> None:
    """Until the service has counted all that is stored now. Raises `RuntimeError`."""
    until, following = time.monotonic() + LONGEST_COUNT_SECONDS, ask(url, FOLLOWING)
    while ask(url, COUNTED_BEFORE) < following:
        if time.monotonic() > until:
            raise RuntimeError("the service did not count what was filled; its log says why")
        time.sleep(0.5)


def wait_for_first_count(url: str) -> None:
    """Until the service has begun to count: what comes before it is never counted."""
    _wait_until_counted(url)


def _maintain(url: str) -> None:
    """The text indexes of closed days, by the command that people run. Raises `RuntimeError`."""
    until = time.monotonic() + LONGEST_UPKEEP_SECONDS
    while (done := _upkeep(url)).returncode == ELSEWHERE and time.monotonic() < until:
        time.sleep(1)
    if done.returncode:
        raise RuntimeError(f"upkeep left work: {(done.stdout + done.stderr).decode()}")
    # The service does it every few seconds.
    asyncio.run(index_windows(Settings(database_url=url), now=datetime.now(UTC)))


def _upkeep(url: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "app", "maintain"],
        check=False,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
    )


def contents(url: str) -> Contents:
    """What the server holds; read whole, which takes a while."""
    return Contents(
        stored=ask(url, STORED),
        filled=ask(url, FILLED),
        today=ask(url, TODAY),
        windows=ask(url, WINDOWS),
        counted=ask(url, COUNTED),
        bytes=ask(url, BYTES),
    )
