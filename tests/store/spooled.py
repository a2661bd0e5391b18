"""Records for a spool, and ways to look into one."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import hypothesis.strategies as st

from app.normalise.record import Frame, LogRecord, ReportedException, Severity
from app.store.spool import Spool

MIB: Final = 1024 * 1024
NOW: Final = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
TIMES = st.datetimes(timezones=st.just(UTC))
MAYBE = st.none() | TEXT
FRAMES = st.builds(
    Frame, function=TEXT, module=TEXT, line=st.none() | st.integers(0, 2**31 - 1), source=MAYBE
)
EXCEPTIONS = st.builds(
    ReportedException,
    type=TEXT,
    message=TEXT,
    stacktrace=TEXT | st.lists(FRAMES, max_size=3).map(tuple),
)
RECORDS = st.builds(
    LogRecord,
    correlation_id=TEXT,
    occurred_at=TIMES,
    record_id=st.uuids(),
    received_at=TIMES,
    service=TEXT,
    level=st.sampled_from(Severity),
    message=TEXT,
    environment=MAYBE,
    release=MAYBE,
    instance=MAYBE,
    span_id=MAYBE,
    parent_span_id=MAYBE,
    sequence=st.none() | st.integers(0, 2**63 - 1),
    exception=st.none() | EXCEPTIONS,
    attributes=TEXT,
    fingerprint=st.lists(TEXT, max_size=2).map(tuple),
    annotations=st.lists(TEXT, max_size=2).map(tuple),
    resent_by_identity=st.booleans(),
)
BATCHES = st.lists(RECORDS, min_size=1, max_size=3)


def record(number: int = 0, *, message: str = "paid") -> LogRecord:
    return LogRecord(
        correlation_id="c",
        occurred_at=NOW,
        record_id=UUID(int=number),
        received_at=NOW,
        service="payment",
        level=Severity.INFO,
        message=message,
        sequence=number,
    )


def large(number: int, size: int = 50_000) -> LogRecord:
    """A record that no compression makes smaller than half of `size`."""
    return record(number, message=os.urandom(size // 2).hex())


def drained(spool: Spool) -> list[tuple[LogRecord, ...]]:
    batches = []
    while batch := spool.oldest():
        batches.append(batch.records)
        spool.remove(batch.ids)
    return batches


def edit(directory: Path, statement: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(directory / "spool.sqlite", isolation_level=None)) as file:
        return file.execute(statement, values).fetchall()


def size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob("spool.sqlite*"))
