"""A piece of the past, copied into the tables as the store would have left it.

Each piece is one transaction of a process of its own, with records in the order in which they
came. It says that it is late (`late_arrivals`), so the service counts it as anything that arrives.
"""

import asyncio
import io
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import asyncpg
import msgspec

from app.database import asyncpg_dsn
from app.store import queries
from scripts.benches.loads import ROOT
from scripts.benches.query_records import ENVIRONMENT, Line, Shop, errors

COLUMNS: Final = (
    "correlation_id", "occurred_at", "record_id", "received_at", "service", "level", "message",
    "environment", "release", "instance", "span_id", "signature_id", "exception", "attributes",
)  # fmt: skip
DELAY: Final = 0.2
FAILING: Final = """
    INSERT INTO failing_chains (correlation_id, first_marked_at)
    SELECT * FROM unnest($1::text[], $2::timestamptz[]) ON CONFLICT DO NOTHING
"""
# What was written since the last VACUUM is in no BRIN index, and the counting would read it all.
SUMMARISE: Final = """
    SELECT brin_summarize_new_values(index.oid)
    FROM pg_index
    JOIN pg_class AS index ON index.oid = indexrelid
    JOIN pg_am ON pg_am.oid = index.relam
    WHERE amname = 'brin' AND indrelid IN (to_regclass($1), to_regclass($2))
"""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """So many records over this time."""

    url: str
    records: int
    since: datetime
    until: datetime
    seed: int


class _Row(msgspec.Struct, frozen=True, order=True, gc=False):
    at: float
    chain: str
    record: str
    line: Line


def copied_elsewhere(pieces: list[Piece]) -> Iterator[int]:
    """In a process of its own; how many records each piece had, when it is stored."""
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.benches.query_copy"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdin  # noqa: S101 - pipes
        assert process.stdout  # noqa: S101 - pipes
        process.stdin.write(msgspec.msgpack.encode(pieces))
        process.stdin.close()
        yield from map(int, process.stdout)
    if process.returncode:
        raise RuntimeError("a piece was not copied; the lines above say why")


def main() -> None:
    """Read the pieces, store one after the other, and tell of each."""
    for piece in msgspec.msgpack.decode(sys.stdin.buffer.read(), type=list[Piece]):
        asyncio.run(_store(piece, sorted(_rows(piece))))
        print(piece.records, flush=True)


def lines_of(piece: Piece) -> Iterator[str]:
    """Of COPY's text format, in the order of `COLUMNS`."""
    return map(_copied, sorted(_rows(piece)))


def _rows(piece: Piece) -> Iterator[_Row]:
    shop = Shop(piece.seed)
    begin, end = piece.since.timestamp(), piece.until.timestamp()
    stored = 0
    for lines in shop.chains(piece.records):
        chain, started = shop.name(), begin + (end - begin) * stored / piece.records
        stored += len(lines)
        for line in lines:
            yield _Row(min(started + line.offset, end), chain, shop.name(), line)


async def _store(piece: Piece, rows: list[_Row]) -> None:
    text = "".join(map(_copied, rows)).encode()
    connection = await asyncpg.connect(asyncpg_dsn(piece.url))
    try:
        async with connection.transaction():
            # Filled rows need not survive a crash; a commit for each piece would wait for the disk.
            await connection.execute("SET LOCAL synchronous_commit = off")
            await connection.copy_to_table("log_records", source=io.BytesIO(text), columns=COLUMNS)
            await _account(connection, rows)
        days = (queries.PARTITION_NAME.format(day=_moment(row.at)) for row in (rows[0], rows[-1]))
        await connection.execute("SET statement_timeout = 0")
        await connection.fetch(SUMMARISE, *days)
    finally:
        await connection.close()


async def _account(connection: Any, rows: list[_Row]) -> None:
    failed = [row for row in rows if row.line.error >= 0]
    times = {row.chain: _moment(row.at) for row in reversed(failed)}
    await connection.execute(FAILING, list(times), list(times.values()))
    await connection.execute(
        queries.MARK_LATE, _moment(rows[0].at), _moment(rows[-1].at + 2 * DELAY)
    )
    kinds = Counter(row.line.error for row in failed)
    names = [errors()[place].signature_id for place in kinds]
    first, last = _moment(rows[0].at), _moment(rows[-1].at)
    await connection.fetch(
        queries.COUNT_SIGNATURES,
        *(names, [first] * len(names), [last] * len(names), list(kinds.values())),
    )


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _copied(row: _Row) -> str:
    """A line of COPY's text format."""
    line, span = row.line, row.chain[:16]
    signature, exception = _error_columns(line.error)
    return (
        f"{row.chain}\t{_told(row.at)}\t{row.record}\t{_told(row.at + DELAY)}\t{line.service}\t"
        f"{line.level}\t{line.message}\t{ENVIRONMENT}\t2026.11.{int(row.at) // 86400 % 28}\t"
        f"{line.service}-{span[0]}\t{span}\t{signature}\t{exception}\t{line.attributes}\n"
    )


def _told(at: float) -> str:
    second = int(at)
    return f"{_second(second)}.{int((at - second) * 1e6):06d}+00"


@lru_cache(maxsize=100)
def _second(second: int) -> str:
    return f"{_moment(second):%Y-%m-%d %H:%M:%S}"


@lru_cache
def _error_columns(place: int) -> tuple[str, str]:
    if place < 0:
        return "\\N", "\\N"
    return errors()[place].signature_id, errors()[place].exception_json.replace("\\", "\\\\")


if __name__ == "__main__":
    main()
