"""Taking single records out of a spool, for good: for those who must be forgotten.

Blocks, as the spool does. Whoever calls holds `Spool.draining`, so that nothing leaves meanwhile.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from app.normalise.record import LogRecord
from app.store import spool_queries as queries
from app.store.spool import Spool, batch_records, batch_row
from app.store.spool_file import transaction

_SET_ASIDE: Final = "SELECT id, record FROM unstorable WHERE id > ? ORDER BY id LIMIT 1"
_DROP_SET_ASIDE: Final = "DELETE FROM unstorable WHERE id = ?"
_PUT_BACK: Final = """
    INSERT INTO batches (id, format, records, checksum, payload) VALUES (?, ?, ?, ?, ?)
"""
_UNREADABLE: Final = "SELECT unreadable FROM totals"


class Spooled(msgspec.Struct, frozen=True, kw_only=True):
    """One batch of the queue, or one record that was set aside; None: it cannot be read."""

    id: int
    records: tuple[LogRecord, ...] | None


def next_batch(spool: Spool, after: int) -> Spooled | None:
    """The batch that follows this id in the queue."""

    def read(connection: sqlite3.Connection) -> Spooled | None:
        row = connection.execute(queries.OLDEST, (after,)).fetchone()
        if row is None:
            return None
        found = batch_records(row)
        return Spooled(id=row[0], records=None if isinstance(found, str) else found)

    return spool.work(read, otherwise=None)


def next_set_aside(spool: Spool, after: int) -> Spooled | None:
    """The record that follows this id among those which PostgreSQL refused."""

    def read(connection: sqlite3.Connection) -> Spooled | None:
        row = connection.execute(_SET_ASIDE, (after,)).fetchone()
        if row is None:
            return None
        try:
            found = (msgspec.json.decode(row[1], type=LogRecord),)
        except msgspec.MsgspecError:
            return Spooled(id=row[0], records=None)
        return Spooled(id=row[0], records=found)

    return spool.work(read, otherwise=None)


def keep_only(spool: Spool, batch: int, kept: Sequence[LogRecord]) -> None:
    """The batch stays where it is in the queue, with these records alone."""

    def write(connection: sqlite3.Connection) -> None:
        _overwrite_what_is_deleted(connection)
        with transaction(connection):
            connection.execute(queries.REMOVE, (batch,))
            if kept:
                connection.execute(_PUT_BACK, (batch, *batch_row(kept)))

    spool.work(write, otherwise=None)


def drop_set_aside(spool: Spool, record: int) -> None:
    """Delete one of those which PostgreSQL refused."""

    def write(connection: sqlite3.Connection) -> None:
        _overwrite_what_is_deleted(connection)
        with transaction(connection):
            connection.execute(_DROP_SET_ASIDE, (record,))

    spool.work(write, otherwise=None)


def unreadable_records(spool: Spool) -> int:
    """How many records it holds that nobody can read."""
    return spool.work(lambda one: int(one.execute(_UNREADABLE).fetchone()[0]), otherwise=0)


def empty_log(spool: Spool) -> None:
    """The write-ahead log still holds what was deleted, until it begins anew."""

    def write(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    spool.work(write, otherwise=None)


def _overwrite_what_is_deleted(connection: sqlite3.Connection) -> None:
    # https://www.sqlite.org/pragma.html#pragma_secure_delete
    connection.execute("PRAGMA secure_delete = ON").fetchall()
