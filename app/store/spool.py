"""Where records wait on the local disk while PostgreSQL is away."""

import shutil
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import structlog
import zstandard

from app.errors import AppError
from app.normalise.record import LogRecord
from app.normalise.text import json_text
from app.store import spool_queries as queries
from app.store.spool_file import (
    MOST_LOG_BYTES,
    SpoolFile,
    flocked,
    is_damage,
    primary_code,
    transaction,
)

log = structlog.get_logger(__name__)
T = TypeVar("T")

FORMAT: Final = 1
"""Of a batch: zstd over msgpack of `LogRecord`s. Raised with every change of that struct."""
OTHER_FORMAT: Final = "other format"
DAMAGED: Final = "damaged"
LEAST_TO_SHRINK: Final = 1024 * 1024
LEAST_FREE_ON_DISK: Final = 4 * MOST_LOG_BYTES
"""Appends leave that much: on a disk full to the brim not even a removal could be written."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[LogRecord, ...]).decode
_Row = tuple[int, int, int, int, bytes]


class SpoolFull(AppError):
    """The database is away and the local spool is full; send again later."""


class SpoolBroken(AppError):
    """The database is away and the local spool cannot be read or written; send again later."""


class SpooledBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What one append was given, or several after each other."""

    ids: tuple[int, ...]
    records: tuple[LogRecord, ...]


class SpoolState(msgspec.Struct, frozen=True, kw_only=True):
    """What waits, what is kept for a person to look at, and how much room that takes."""

    batches: int = 0
    records: int = 0
    bytes: int = 0
    """Used in the file; free pages inside it are not counted."""
    unstorable: int = 0
    """Records that PostgreSQL refused, kept as JSON."""
    unreadable: int = 0
    """Records of batches that could not be decoded."""
    full: bool = False
    """An append was refused, and would be again."""


class Spool:
    """Batches of records on the local disk: first in, first out; shared by processes of one host.

    What `append` promises when it returns: the batch survives kill -9, a crash of the system and
    a loss of power, as far as the disk keeps what fsync reports as written. SQLite in WAL mode
    with `synchronous=FULL` syncs the write-ahead log at each commit
    (https://www.sqlite.org/pragma.html#pragma_synchronous, https://www.sqlite.org/wal.html), and
    the directory when it makes that log. When `append` raises, the batch is not in the queue;
    only where fsync itself failed may a crash right after bring it back.

    `max_bytes` caps the file. Beside it stands the write-ahead log: at most about 4 MiB and the
    largest batch. Records kept as unstorable or unreadable count, for they are never deleted.

    A disk with less than `LEAST_FREE_ON_DISK` left counts as full too.

    Delivery is at least once: after a crash between the COMMIT of PostgreSQL and `remove`, the
    oldest batch comes again, and the key of the record table makes that a no-op.

    Every method blocks and may be called from any thread; all but `close` raise `SpoolBroken`.
    Nothing is opened or made before the first append, unless a file is there from before.
    The directory must be on a local disk: the log is shared through memory.
    """

    def __init__(self, directory: Path, *, max_bytes: int) -> None:
        self._file = SpoolFile(directory, on_open=_take_back)
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._refused_bytes = 0

    def append(self, records: Sequence[LogRecord]) -> None:
        """Put the batch at the end of the queue, on disk. Raises `SpoolFull`."""
        if not records:
            return
        row = batch_row(records)
        try:
            # Again, when another process set the file aside meanwhile: nobody drains that one.
            while not self._run(lambda connection: self._append(connection, row)):
                pass
        except SpoolFull:
            self._refused_bytes = len(row[-1])
            raise
        self._refused_bytes = 0

    def oldest(self, *, least: int = 1) -> SpooledBatch | None:
        """What was appended first: whole batches, until they hold this many records together.

        Batches that cannot be read are set aside.
        """
        return self._run(lambda one: _oldest(one, least)) if self._file.exists() else None

    def remove(self, ids: Sequence[int], *, unstorable: Sequence[LogRecord] = ()) -> None:
        """Forget the batches, which are in PostgreSQL now but for these records; keep them."""
        kept = [(json_text(record),) for record in unstorable]
        self._run(lambda connection: _remove(connection, ids, kept))

    def state(self) -> SpoolState:
        return self._run(self._state) if self._file.exists() else SpoolState()

    def holds_any(self) -> bool:
        """Whether a batch waits: one look at the file system, or at one page."""
        return self._file.exists() and self._run(_holds_any)

    @contextmanager
    def draining(self) -> Iterator[bool]:
        """Whether this process may drain, of all that share the directory, until the block ends.

        Two that drain would store later batches before earlier ones.
        """
        with ExitStack() as stack:
            try:
                held = stack.enter_context(flocked(self._file.directory / "drain.lock", wait=False))
            except OSError as error:
                raise SpoolBroken from error
            yield held

    def work(self, work: Callable[[sqlite3.Connection], T], *, otherwise: T) -> T:
        """What `work` finds in the file; `otherwise` when there is none."""
        return self._run(work) if self._file.exists() else otherwise

    def close(self) -> None:
        """Let go of the file; it stays, with all that waits in it."""
        with self._lock:
            self._file.close()

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `work`; on a damaged file it starts over with a new one."""
        with self._lock:
            try:
                return self._attempt(work)
            except (sqlite3.Error, OSError) as error:
                raise _translated(error) from error

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return work(self._file.connection())
        except sqlite3.Error as error:
            if primary_code(error) != sqlite3.SQLITE_FULL:
                self._file.close()  # the next call opens it afresh
            if not is_damage(error):
                raise
            self._file.set_aside(error)
        return work(self._file.connection())

    def _append(self, connection: sqlite3.Connection, row: tuple[Any, ...]) -> bool:
        if len(row[-1]) > self._room_on_disk():
            raise SpoolFull
        page_size, _, _ = connection.execute(queries.SPACE).fetchone()
        with transaction(connection, most_pages=max(1, self._max_bytes // page_size)):
            connection.execute(queries.APPEND, row)
        return self._file.is_current()

    def _state(self, connection: sqlite3.Connection) -> SpoolState:
        batches, records, unstorable, unreadable = connection.execute(queries.TOTALS).fetchone()
        page_size, pages, free = connection.execute(queries.SPACE).fetchone()
        used = (pages - free) * page_size
        return SpoolState(
            batches=batches,
            records=records,
            bytes=used,
            unstorable=unstorable,
            unreadable=unreadable,
            full=self._is_full(used),
        )

    def _is_full(self, used: int) -> bool:
        """A batch too large for the empty spool does not make it full for good."""
        wanted = min(self._refused_bytes, self._max_bytes // 2)
        return wanted > max(0, min(self._max_bytes - used, self._room_on_disk()))

    def _room_on_disk(self) -> int:
        """A batch takes its size twice: in the log, then in the file."""
        free = shutil.disk_usage(self._file.directory).free
        return max(0, free - LEAST_FREE_ON_DISK) // 2


def _translated(error: Exception) -> AppError:
    full = primary_code(error) == sqlite3.SQLITE_FULL
    return SpoolFull() if full else SpoolBroken()


def batch_row(records: Sequence[LogRecord]) -> tuple[int, int, int, bytes]:
    """The values of `queries.APPEND`."""
    payload = zstandard.ZstdCompressor(level=1).compress(_encode(records))
    return FORMAT, len(records), zlib.crc32(payload), payload


def batch_records(row: _Row) -> tuple[LogRecord, ...] | str:
    """The records of a stored batch, or why they cannot be read."""
    _, stored_format, _, checksum, payload = row
    if stored_format != FORMAT:
        return OTHER_FORMAT
    if zlib.crc32(payload) != checksum:
        return DAMAGED
    try:
        return _decode(zstandard.ZstdDecompressor().decompress(payload))
    except (zstandard.ZstdError, msgspec.MsgspecError):
        return DAMAGED


def _oldest(connection: sqlite3.Connection, least: int) -> SpooledBatch | None:
    ids: list[int] = []
    found: list[LogRecord] = []
    last = 0
    while len(found) < least and (row := connection.execute(queries.OLDEST, (last,)).fetchone()):
        last = row[0]
        records = batch_records(row)
        if isinstance(records, str):
            _set_aside(connection, row, records)
        else:
            ids.append(last)
            found += records
    return SpooledBatch(ids=tuple(ids), records=tuple(found)) if ids else None


def _set_aside(connection: sqlite3.Connection, row: _Row, reason: str) -> None:
    with transaction(connection):
        # Deleted first: its pages hold the copy, so that a full disk does not stop the drain.
        if connection.execute(queries.REMOVE, row[:1]).rowcount:
            connection.execute(queries.KEEP_UNREADABLE, (*row, reason))
    log.error("spooled_batch_unreadable", batch=row[0], records=row[2], reason=reason)


def _take_back(connection: sqlite3.Connection) -> None:
    """Queue again what a process of another version could not read, and this one can."""
    which = (FORMAT, OTHER_FORMAT)
    if not connection.execute(queries.HOLDS_READABLE_AGAIN, which).fetchone()[0]:
        return
    try:
        with transaction(connection):
            connection.execute(queries.TAKE_BACK, which)
            count = connection.execute(queries.FORGET_TAKEN_BACK, which).rowcount
    except sqlite3.OperationalError as error:
        # Most likely no space for the copy: they are kept where they are, for the next start.
        log.warning("spooled_batches_not_taken_back", reason=repr(error))
    else:
        log.info("spooled_batches_readable_again", batches=count)


def _remove(
    connection: sqlite3.Connection, ids: Sequence[int], unstorable: list[tuple[str]]
) -> None:
    try:
        _forget(connection, ids, unstorable)
    except sqlite3.OperationalError as error:
        if primary_code(error) != sqlite3.SQLITE_FULL:
            raise
        # Others filled the disk. Once its log is in the file, the log begins anew: in old space.
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        _forget(connection, ids, unstorable)
    _shrink(connection)


def _forget(
    connection: sqlite3.Connection, ids: Sequence[int], unstorable: list[tuple[str]]
) -> None:
    with transaction(connection):
        connection.executemany(queries.REMOVE, [(one,) for one in ids])
        connection.executemany(queries.KEEP_UNSTORABLE, unstorable)


def _shrink(connection: sqlite3.Connection) -> None:
    """Give the disk back what a drained spool held.

    VACUUM costs as much as there is left to copy, and of a drained spool that is next to nothing:
    so the file needs no auto_vacuum, whose page map each append would have to keep up.
    """
    page_size, _, free = connection.execute(queries.SPACE).fetchone()
    if free * page_size < LEAST_TO_SHRINK or _holds_any(connection):
        return
    try:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as error:
        # The batch is removed; free pages are used again, and the next drain tries again.
        log.warning("spool_not_shrunk", reason=repr(error))


def _holds_any(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute(queries.HOLDS_ANY).fetchone()[0])
