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
COUNT_SIGNATURES: Final = """
    WITH locked AS (
        SELECT signature_id FROM signatures
        WHERE signature_id = ANY($1::text[])
        ORDER BY signature_id
        FOR NO KEY UPDATE
    )
    UPDATE signatures SET
        records = signatures.records + seen.records,
        first_seen = least(signatures.first_seen, seen.first_seen),
        last_seen = greatest(signatures.last_seen, seen.last_seen)
    FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[])
        AS seen (signature_id, first_seen, last_seen, records)
    JOIN locked USING (signature_id)
    WHERE signatures.signature_id = seen.signature_id
    RETURNING signatures.signature_id
"""

# Sorted for the same reason.
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

# One identity for all marks of a batch: making one for each costs as much as storing it.
# Marks the failing chains, and the late records of chains known to fail: they may change what
# such a chain means.
MARK_CHAINS: Final = """
    WITH failing AS (
        INSERT INTO failing_chains (correlation_id)
        SELECT failing FROM unnest($1::text[]) AS failing ORDER BY 1
        ON CONFLICT DO NOTHING
    )
    INSERT INTO chain_marks (correlation_id, mark_id)
    SELECT unnest($1::text[]), $3::uuid
    UNION ALL
    SELECT correlation_id, $3::uuid FROM failing_chains WHERE correlation_id = ANY($2::text[])
"""
MARK_TOUCHED: Final = """
    INSERT INTO chain_marks (correlation_id, mark_id)
    SELECT correlation_id, $2::uuid FROM failing_chains WHERE correlation_id = ANY($1::text[])
"""
MARK_WATCHED: Final = """
    INSERT INTO chain_marks (correlation_id, mark_id) SELECT unnest($1::text[]), $2::uuid
"""
# As text: asyncpg takes a multirange apart bound by bound.
MARK_SEQUENCES: Final = """
    INSERT INTO sequence_marks (mark_id, service, instance, seen)
    SELECT $1::uuid, service, instance, seen::int8multirange
    FROM unnest($2::text[], $3::text[], $4::text[]) AS batch (service, instance, seen)
"""

# Says to those who ask what came since (`app.store.arrivals`) that this came from before.
MARK_LATE: Final = """
    INSERT INTO late_arrivals (transaction_id, first_received_at, last_received_at)
    VALUES (pg_current_xact_id()::text::bigint, $1, $2)
"""

# Identifiers and partition bounds take no parameters; both are made from a date alone.
PARTITION_NAME: Final = "log_records_{day:%Y%m%d}"
PARTITION_EXISTS: Final = "SELECT to_regclass($1) IS NOT NULL"
# The indexes too: attaching adopts them, where it would else build them under its locks. And with
# the constraint it need not read the rows again.
CREATE_DETACHED: Final = """
    CREATE TABLE {name} (
        LIKE log_records INCLUDING DEFAULTS INCLUDING INDEXES,
        CONSTRAINT whole_day CHECK (
            occurred_at >= '{first} 00:00:00+00' AND occurred_at < '{last} 00:00:00+00'
        )
    )
"""
COPY_FROM_DEFAULT: Final = """
    INSERT INTO {name}
    SELECT * FROM log_records_default WHERE occurred_at >= $1 AND occurred_at < $2
"""
# Without the lock a row could reach the default partition between the move and the attaching.
# What is done under it ends in time or not at all: whoever reads all days waits meanwhile.
LOCK_DEFAULT: Final = """
    SET LOCAL statement_timeout = '5s';
    SET LOCAL lock_timeout = '{lock_ms}ms';
    LOCK TABLE ONLY log_records IN SHARE UPDATE EXCLUSIVE MODE;
    LOCK TABLE log_records_default IN ACCESS EXCLUSIVE MODE
"""
COPY_LATECOMERS: Final = """
    INSERT INTO {name}
    SELECT * FROM log_records_default AS late
    WHERE occurred_at >= $1 AND occurred_at < $2 AND NOT EXISTS (
        SELECT FROM {name} AS moved
        WHERE (moved.correlation_id, moved.occurred_at, moved.record_id)
            = (late.correlation_id, late.occurred_at, late.record_id)
    )
"""
DELETE_MOVED: Final = "DELETE FROM log_records_default WHERE occurred_at >= $1 AND occurred_at < $2"
ATTACH_PARTITION: Final = """
    ALTER TABLE log_records ATTACH PARTITION {name}
    FOR VALUES FROM ('{first} 00:00:00+00') TO ('{last} 00:00:00+00');
    ALTER TABLE {name} DROP CONSTRAINT whole_day
"""
# Rows that are moved are written by another transaction than the one that counting looked for.
LOCK_COUNTS: Final = "SELECT FROM counted_until WHERE name = 'services' FOR UPDATE"
COUNT_DAY_AGAIN: Final = """
    UPDATE counted_until SET whole = whole - tstzmultirange(
        tstzrange('{first} 00:00:00+00', '{last} 00:00:00+00')
    ) WHERE name = 'services'
"""
EXISTING_PARTITIONS: Final = """
    SELECT child.relname
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    WHERE inhparent = 'log_records'::regclass
"""
PARTITIONS_LOCK: Final = """
    SET LOCAL statement_timeout = '{seconds}s';
    SET LOCAL lock_timeout = '10s';
    SELECT pg_advisory_xact_lock(hashtext('prodsentinel.partitions'))
"""

# Held by the connection, so that it ends with the process that took it, however that dies.
TAKE_MAINTENANCE_LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('prodsentinel.maintenance'))"
TAKE_HOT_INDEX_LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('prodsentinel.hot_index'))"
PARTITION_SIZES: Final = """
    SELECT child.relname AS name, coalesce(pg_total_relation_size(child.oid), 0) AS bytes
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    WHERE inhparent = 'log_records'::regclass
    ORDER BY child.relname
"""
COUNT_DEFAULT: Final = "SELECT count(*) FROM (SELECT FROM log_records_default LIMIT $1) AS counted"
DEFAULT_DAYS: Final = """
    SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day, count(*) AS records
    FROM log_records_default
    WHERE occurred_at >= $1 AND occurred_at < $2
    GROUP BY 1
    ORDER BY 1
"""

# No DETACH CONCURRENTLY: PostgreSQL refuses it beside a default partition. In one transaction
# with the renaming: only a table of that name is dropped, never one that an operator detached.
# Its records are gone at once; what counts them is discarded later, under no lock of theirs.
DETACH_PARTITION: Final = f"""
    SET LOCAL lock_timeout = '{{lock_ms}}ms';
    {COUNT_DAY_AGAIN};
    ALTER TABLE log_records DETACH PARTITION {{name}};
    ALTER TABLE {{name}} RENAME TO {{name}}_expired
"""
EXPIRED_TABLES: Final = """
    SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relname ~ '^log_records_[0-9]{8}_expired$' AND pg_table_is_visible(oid)
"""
DROP_EXPIRED: Final = "SET LOCAL lock_timeout = '{lock_ms}ms'; DROP TABLE IF EXISTS {name}"

COUNT_OLD_ARRIVALS: Final = """
    SELECT count(*) FROM (
        SELECT FROM log_records_default WHERE received_at < $1 LIMIT $2
    ) AS counted
"""
DELETE_OLD_ARRIVALS: Final = """
    WITH deleted AS (
        DELETE FROM log_records_default AS old
        USING (
            SELECT correlation_id, occurred_at, record_id
            FROM log_records_default WHERE received_at < $1 LIMIT $2
        ) AS found
        WHERE (old.correlation_id, old.occurred_at, old.record_id)
            = (found.correlation_id, found.occurred_at, found.record_id)
        RETURNING date_trunc('hour', old.occurred_at, 'UTC') AS hour
    ), again AS (
        UPDATE counted_until SET whole = whole - (
            SELECT coalesce(range_agg(tstzrange(hour, hour + interval '1 hour')), '{}')
            FROM deleted
        ) WHERE name = 'services'
    )
    SELECT count(*) FROM deleted
"""

# Lateral: a NOT EXISTS may be planned as a hash join, which reads every record there is.
_CHAINS_WITHOUT_RECORDS: Final = """
    SELECT chain.correlation_id
    FROM failing_chains AS chain
    LEFT JOIN LATERAL (
        SELECT true AS found FROM log_records
        WHERE log_records.correlation_id = chain.correlation_id
        LIMIT 1
    ) AS record ON true
    WHERE first_marked_at < $1 AND found IS NULL
    LIMIT $2
"""
COUNT_CHAINS_WITHOUT_RECORDS: Final = f"SELECT count(*) FROM ({_CHAINS_WITHOUT_RECORDS}) AS counted"  # noqa: S608 - a constant of this file
# A record that comes for such a chain in this very moment still marks it: the mark is its own.
FORGET_CHAINS: Final = f"""
    DELETE FROM failing_chains USING ({_CHAINS_WITHOUT_RECORDS}) AS gone
    WHERE failing_chains.correlation_id = gone.correlation_id
"""  # noqa: S608 - the same

INDEXES_OF: Final = """
    SELECT index.relname AS name, indisvalid AS valid
    FROM pg_index
    JOIN pg_class AS index ON index.oid = indexrelid
    WHERE indrelid = to_regclass($1)
"""
# What a killed CREATE INDEX CONCURRENTLY leaves behind: not used, but kept up to date.
DROP_INDEX: Final = "DROP INDEX CONCURRENTLY IF EXISTS {index}"
# One for words and attributes: the table is read once, and COPY opens one.
CREATE_SEARCH_INDEX: Final = """
    CREATE INDEX CONCURRENTLY {index} ON {name} USING gin (
        search_words(searched_text(message, exception)), attributes jsonb_path_ops
    ) {where}
"""
# The end first: of a record that comes now it is false, and nothing more is asked.
WITHIN: Final = "WHERE occurred_at < '{last}' AND occurred_at >= '{first}'"
# As of the last ANALYZE, which follows each window.
ROWS_OF: Final = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass($1)"
FOLLOWING: Final = """
    SELECT occurred_at FROM {name} WHERE occurred_at >= $1 AND occurred_at < $2
    ORDER BY occurred_at OFFSET $3 LIMIT 1
"""
COUNT_WITHIN: Final = """
    SELECT count(*) FROM (
        SELECT FROM {name} WHERE occurred_at >= $1 AND occurred_at < $2 LIMIT $3
    ) AS counted
"""
# Without statistics of the words the planner takes every word to be equally rare.
ANALYZE: Final = "ANALYZE {name}"
