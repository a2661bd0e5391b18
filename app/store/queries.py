"""Every statement of the store room, by name, for the asyncpg connection itself.

The write path speaks to the driver: COPY has no counterpart in SQLAlchemy.
"""

from typing import Final

RECORD_COLUMNS: Final = (
    "correlation_id",
    "occurred_at",
    "record_id",
    "received_at",
    "service",
    "level",
    "message",
    "environment",
    "release",
    "instance",
    "span_id",
    "parent_span_id",
    "sequence",
    "signature_id",
    "exception",
    "attributes",
    "annotations",
)

PLAIN_COLUMNS: Final = RECORD_COLUMNS[:-1]

PING: Final = "SELECT 1"

_COLUMN_LIST: Final = ", ".join(RECORD_COLUMNS)

STAGE_RECORDS: Final = """
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_records
    (LIKE log_records INCLUDING DEFAULTS) ON COMMIT DELETE ROWS
"""

# Sorted by key: two batches that hold the same records must lock them in the same order.
INSERT_STAGED: Final = f"""
    INSERT INTO log_records ({_COLUMN_LIST})
    SELECT DISTINCT ON (correlation_id, occurred_at, record_id) {_COLUMN_LIST}
    FROM staged_records
    ORDER BY correlation_id, occurred_at, record_id
    ON CONFLICT DO NOTHING
    RETURNING record_id, correlation_id, occurred_at
"""  # noqa: S608 - the column list is a constant of this file

# Reads one shard and one index range for each pair.
STORED_IDENTITIES: Final = """
    SELECT DISTINCT correlation_id, record_id
    FROM unnest($1::text[], $2::uuid[]) AS wanted (correlation_id, record_id)
    JOIN log_records USING (correlation_id, record_id)
"""

# Two resends of one record at the same moment: the second waits here and then sees the first.
LOCK_IDENTITIES: Final = """
    SELECT pg_advisory_xact_lock(hashtextextended(identity, 0))
    FROM (SELECT identity FROM unnest($1::text[]) AS identity ORDER BY identity) AS sorted
"""

# Sorted: two batches locking signatures in opposite order would deadlock.
UPSERT_SIGNATURES: Final = """
    INSERT INTO signatures (
        signature_id, version, exception_type, title, message, culprit, callee, caller,
        explanation, sample, first_seen, last_seen, records
    )
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::jsonb[], $10::jsonb[], $11::timestamptz[], $12::timestamptz[],
        $13::bigint[]
    ) AS seen (signature_id)
    ORDER BY 1
    ON CONFLICT (signature_id) DO UPDATE SET
        records = signatures.records + excluded.records,
        first_seen = least(signatures.first_seen, excluded.first_seen),
        last_seen = greatest(signatures.last_seen, excluded.last_seen)
    RETURNING signature_id, (xmax = 0) AS is_new
"""

MARK_FAILING: Final = """
    INSERT INTO failing_chains (correlation_id)
    SELECT * FROM unnest($1::text[]) AS failing ORDER BY 1
    ON CONFLICT DO NOTHING
"""

# Also the late records of a chain known to fail: they may change what it means.
MARK_TOUCHED: Final = """
    INSERT INTO chain_marks (correlation_id)
    SELECT correlation_id FROM failing_chains WHERE correlation_id = ANY($1::text[])
"""

# Identifiers and partition bounds take no parameters; both are made from a date alone.
PARTITION_NAME: Final = "log_records_{day:%Y%m%d}"
PARTITION_EXISTS: Final = "SELECT to_regclass($1) IS NOT NULL"
CREATE_DETACHED: Final = "CREATE TABLE {name} (LIKE log_records INCLUDING DEFAULTS)"
# Without the lock a row could reach the default partition between the move and the attaching.
LOCK_DEFAULT: Final = "LOCK TABLE log_records_default IN ACCESS EXCLUSIVE MODE"
MOVE_FROM_DEFAULT: Final = """
    WITH moved AS (
        DELETE FROM log_records_default WHERE occurred_at >= $1 AND occurred_at < $2 RETURNING *
    )
    INSERT INTO {name} SELECT * FROM moved
"""
ATTACH_PARTITION: Final = """
    ALTER TABLE log_records ATTACH PARTITION {name}
    FOR VALUES FROM ('{first} 00:00:00+00') TO ('{last} 00:00:00+00')
"""
EXISTING_PARTITIONS: Final = """
    SELECT child.relname
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    WHERE inhparent = 'log_records'::regclass
"""
PARTITIONS_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('prodsentinel.partitions'))"
