"""Every statement of the spool, by name, for SQLite."""

from typing import Final

# Totals are kept by triggers: counting two million small batches would read the whole file.
# AUTOINCREMENT: an id is never given twice, so the order of ids is the order of arrival. It counts
# from a random place: an id must mean nothing in the file that takes a damaged one's place.
# The payload stands last: what comes before it is read without it.
SCHEMA: Final = """
    BEGIN IMMEDIATE;
    CREATE TABLE batches (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        format INTEGER NOT NULL,
        records INTEGER NOT NULL,
        checksum INTEGER NOT NULL,
        payload BLOB NOT NULL
    );
    CREATE TABLE unreadable (
        id INTEGER PRIMARY KEY,
        format INTEGER NOT NULL,
        records INTEGER NOT NULL,
        checksum INTEGER NOT NULL,
        reason TEXT NOT NULL,
        payload BLOB NOT NULL
    );
    CREATE TABLE unstorable (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        refused_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
        record TEXT NOT NULL
    );
    CREATE TABLE totals (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        batches INTEGER NOT NULL DEFAULT 0,
        records INTEGER NOT NULL DEFAULT 0,
        unstorable INTEGER NOT NULL DEFAULT 0,
        unreadable INTEGER NOT NULL DEFAULT 0
    );
    INSERT INTO totals (only) VALUES (1);
    CREATE TRIGGER batch_in AFTER INSERT ON batches BEGIN
        UPDATE totals SET batches = batches + 1, records = records + new.records;
    END;
    CREATE TRIGGER batch_out AFTER DELETE ON batches BEGIN
        UPDATE totals SET batches = batches - 1, records = records - old.records;
    END;
    CREATE TRIGGER unreadable_in AFTER INSERT ON unreadable BEGIN
        UPDATE totals SET unreadable = unreadable + new.records;
    END;
    CREATE TRIGGER unreadable_out AFTER DELETE ON unreadable BEGIN
        UPDATE totals SET unreadable = unreadable - old.records;
    END;
    CREATE TRIGGER unstorable_in AFTER INSERT ON unstorable BEGIN
        UPDATE totals SET unstorable = unstorable + 1;
    END;
    CREATE TRIGGER unstorable_out AFTER DELETE ON unstorable BEGIN
        UPDATE totals SET unstorable = unstorable - 1;
    END;
    INSERT INTO sqlite_sequence (name, seq)
    VALUES ('batches', abs(random() % 1000000000000000000));
    COMMIT;
"""
HAS_SCHEMA: Final = "SELECT EXISTS (SELECT 1 FROM sqlite_schema)"

APPEND: Final = "INSERT INTO batches (format, records, checksum, payload) VALUES (?, ?, ?, ?)"
OLDEST: Final = """
    SELECT id, format, records, checksum, payload FROM batches WHERE id > ? ORDER BY id LIMIT 1
"""
HOLDS_ANY: Final = "SELECT EXISTS (SELECT 1 FROM batches)"
REMOVE: Final = "DELETE FROM batches WHERE id = ?"
KEEP_UNSTORABLE: Final = "INSERT INTO unstorable (record) VALUES (?)"
KEEP_UNREADABLE: Final = """
    INSERT INTO unreadable (id, format, records, checksum, payload, reason)
    VALUES (?, ?, ?, ?, ?, ?)
"""
HOLDS_READABLE_AGAIN: Final = """
    SELECT EXISTS (SELECT 1 FROM unreadable WHERE format = ? AND reason = ?)
"""
# With their old ids: they were acknowledged before what waits now.
TAKE_BACK: Final = """
    INSERT INTO batches (id, format, records, checksum, payload)
    SELECT id, format, records, checksum, payload FROM unreadable WHERE format = ? AND reason = ?
"""
FORGET_TAKEN_BACK: Final = "DELETE FROM unreadable WHERE format = ? AND reason = ?"
TOTALS: Final = "SELECT batches, records, unstorable, unreadable FROM totals"
SPACE: Final = """
    SELECT page_size, page_count, freelist_count
    FROM pragma_page_size, pragma_page_count, pragma_freelist_count
"""
