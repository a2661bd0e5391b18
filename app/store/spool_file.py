"""The file of the spool: made, opened, and set aside when it is damaged."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from app.store import spool_queries as queries

log = structlog.get_logger(__name__)

BUSY_SECONDS: Final = 5.0
"""How long one process waits for the commit of another."""
MOST_LOG_BYTES: Final = 4 * 1024 * 1024
_UNCAPPED: Final = 2**32 - 2
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# FULL: each commit waits for the fsync of the write-ahead log. fullfsync matters on macOS alone.
_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    f"PRAGMA journal_size_limit = {MOST_LOG_BYTES}",
    "PRAGMA temp_store = MEMORY",
)


def primary_code(error: BaseException) -> int:
    """SQLite's own result code; 0 when the error does not come from there."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_damage(error: BaseException) -> bool:
    return primary_code(error) in _DAMAGE


def make_directory(directory: Path) -> None:
    """Private to this user, and its name on disk: what is in it must be found after a crash."""
    if directory.is_dir():
        return
    make_directory(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(directory.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def flocked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Whether the lock is held; it ends with the process, however that ends."""
    make_directory(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


@contextmanager
def transaction(connection: sqlite3.Connection, *, most_pages: int | None = None) -> Iterator[None]:
    """All or nothing. `most_pages` caps the file; what frees or moves records has no cap."""
    connection.execute(f"PRAGMA max_page_count = {most_pages or _UNCAPPED}")
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite may have rolled back by itself, as it does on some disk errors.
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise


class SpoolFile:
    """`spool.sqlite` in its directory, and one connection to it."""

    def __init__(self, directory: Path, *, on_open: Callable[[sqlite3.Connection], None]) -> None:
        self._on_open = on_open
        self.directory = directory
        self.path = directory / "spool.sqlite"
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def exists(self) -> bool:
        return self.path.exists()

    def connection(self) -> sqlite3.Connection:
        if self._connection is not None and not self.is_current():
            self.close()
        if self._connection is None:
            with flocked(self._lock_path, wait=True):
                self._connection = self._open()
        return self._connection

    def is_current(self) -> bool:
        """Whether the open file is still the one that all processes use."""
        return self._identity is not None and self._identity == self._identity_on_disk()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def set_aside(self, reason: BaseException) -> None:
        """Rename the damaged file, unless another process has done so; never deletes it."""
        self.close()
        with flocked(self._lock_path, wait=True):
            if self.is_current():
                name = self._rename()
                log.error("spool_file_damaged", kept_as=name, reason=repr(reason))

    @property
    def _lock_path(self) -> Path:
        return self.directory / "spool.lock"

    def _identity_on_disk(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _open(self) -> sqlite3.Connection:
        if not self.exists():
            self._rename()  # a log without its file would be replayed into the new one
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        self._identity = self._identity_on_disk()
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection)
            self._on_open(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _rename(self) -> str:
        """The log first: should the process die between, no new file meets an old log."""
        aside = f"{self.path.name}.broken-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).rename(
                    self.path.with_name(aside + suffix)
                )
        return aside


def _prepare(connection: sqlite3.Connection) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma).close()
    if not connection.execute(queries.HAS_SCHEMA).fetchone()[0]:
        connection.executescript(queries.SCHEMA)
