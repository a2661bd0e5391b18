"""Every statement that counts records, by name.

The row of `counted_until` is their lock: whoever counts, deletes records or moves them to another
table takes it first, and so sees each record either counted or not.
"""

from typing import Final

from sqlalchemy import text

from app.store.arrivals import CAME_SINCE, PLAN

GRAINS: Final = (60, 900, 3_600)
"""Widths of counts in seconds; each divides the next."""
ORIGIN: Final = "'2000-01-03 00:00:00+00'"

PLAN_BY_INDEX: Final = text(PLAN)
TRY_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(hashtext('prodsentinel.counting'))")
# A snapshot of the future is of the server that this database was copied from.
READ: Final = text("""
    SELECT snapshot, taken_at, whole = '{(,)}' AS is_whole,
        pg_snapshot_xmax(CAST(snapshot AS pg_snapshot)) > pg_snapshot_xmax(pg_current_snapshot())
            AS is_of_another
    FROM counted_until WHERE name = 'services' FOR UPDATE
""")
# A database without a record is counted from its first one on.
BEGIN: Final = text("""
    INSERT INTO counted_until (name, snapshot, taken_at, look_back, whole)
    SELECT 'services', pg_current_snapshot()::text, clock_timestamp(), CAST(:look_back AS interval),
        CASE WHEN EXISTS (SELECT FROM log_records) THEN '{}' ELSE '{(,)}' END::tstzmultirange
    ON CONFLICT (name) DO UPDATE SET snapshot = excluded.snapshot, taken_at = excluded.taken_at,
        look_back = excluded.look_back, whole = '{}'
""")

_COUNTED: Final = f"""
    SELECT date_bin('1 minute', occurred_at, {ORIGIN}) AS minute, service, level, environment,
        release, instance, signature_id, date_bin('1 hour', received_at, {ORIGIN}) AS hour,
        count(*) AS records, min(occurred_at) AS first_at, max(occurred_at) AS last_at,
        max(received_at) AS last_received_at
    FROM log_records WHERE {{}}
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""  # noqa: S608 - constants
# The hash of a row's text tells NULL from '', and needs no look at the table.
_BY_TIME: Final = f"""
    kinds AS MATERIALIZED (
        SELECT md5(ROW(service, level, environment, release, instance, signature_id)::text)::uuid
            AS kind_id, service, level, environment, release, instance, signature_id, minute,
            sum(records) AS records
        FROM came GROUP BY 2, 3, 4, 5, 6, 7, 8
    ), new_kinds AS (
        INSERT INTO record_kinds
            (kind_id, service, level, environment, release, instance, signature_id)
        SELECT DISTINCT kind_id, service, level, environment, release, instance, signature_id
        FROM kinds
        ON CONFLICT DO NOTHING
    ), by_time AS (
        INSERT INTO record_counts AS counted (seconds, start, kind_id, records)
        SELECT seconds, date_bin(make_interval(secs => seconds), minute, {ORIGIN}), kind_id,
            sum(records)
        FROM kinds CROSS JOIN unnest(ARRAY{list(GRAINS)}) AS seconds
        GROUP BY 1, 2, 3
        ON CONFLICT (seconds, start, kind_id) DO UPDATE SET
            records = counted.records + excluded.records
    )
"""  # noqa: S608 - constants
# One statement, so one snapshot: what it counts is what it says it counted. Of the time at which it
# began: this part runs last, and who looks back from there would miss what came meanwhile.
COUNT: Final = text(f"""
    WITH came AS MATERIALIZED ({_COUNTED.format(CAME_SINCE)}), {_BY_TIME}, by_hour AS (
        INSERT INTO service_hours AS counted
            (service, hour, environment, release, instance, records, errors, last_at)
        SELECT service, hour, coalesce(environment, ''), coalesce(release, ''),
            coalesce(instance, ''), sum(records),
            coalesce(sum(records) FILTER (WHERE level >= 'ERROR'), 0), max(last_received_at)
        FROM came GROUP BY 1, 2, 3, 4, 5
        ON CONFLICT (service, hour, environment, release, instance) DO UPDATE SET
            records = counted.records + excluded.records,
            errors = counted.errors + excluded.errors,
            last_at = greatest(counted.last_at, excluded.last_at)
    ), by_signature AS (
        INSERT INTO signature_services AS counted
            (signature_id, service, records, first_at, last_at)
        SELECT signature_id, service, sum(records), min(first_at), max(last_at)
        FROM came WHERE signature_id IS NOT NULL GROUP BY 1, 2
        ON CONFLICT (signature_id, service) DO UPDATE SET
            records = counted.records + excluded.records,
            first_at = least(counted.first_at, excluded.first_at),
            last_at = greatest(counted.last_at, excluded.last_at)
    ), until AS (
        UPDATE counted_until SET snapshot = pg_current_snapshot()::text,
            taken_at = statement_timestamp(), look_back = CAST(:look_back AS interval)
        WHERE name = 'services'
    )
    SELECT coalesce(sum(records), 0)::bigint FROM came
""")  # noqa: S608 - constants

# An hour of a day that has its partition; or all of the time between such days, which is in the
# default partition.
NEXT_PIECE: Final = text("""
    WITH days AS (
        SELECT to_timestamp(right(relname, 8) || '+00', 'YYYYMMDDTZH') AS day
        FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'log_records'::regclass AND relname ~ '^log_records_[0-9]{8}$'
    ), pieces AS (
        SELECT tstzrange(hour, hour + interval '1 hour') AS piece
        FROM days CROSS JOIN generate_series(
            day, day + interval '23 hours', interval '1 hour') AS hour
        UNION ALL
        SELECT unnest(tstzmultirange(tstzrange(NULL, NULL)) - coalesce(
            range_agg(tstzrange(day, day + interval '1 day')), '{}'))
        FROM days
    )
    SELECT lower(piece)::text AS since, upper(piece)::text AS until
    FROM pieces JOIN counted_until ON name = 'services' AND NOT piece <@ whole
    ORDER BY lower(piece) <= now() DESC NULLS LAST, lower(piece) DESC NULLS LAST
    LIMIT 1
""")
_SINCE: Final = "CAST(CAST(:piece_since AS text) AS timestamptz)"
_UNTIL: Final = "CAST(CAST(:piece_until AS text) AS timestamptz)"
_IN_PIECE: Final = (
    "{0} >= coalesce(" + _SINCE + ", '-infinity') AND {0} < coalesce(" + _UNTIL + ", 'infinity')"
)
DISCARD: Final = text(
    f"DELETE FROM record_counts WHERE seconds = ANY(ARRAY{list(GRAINS)})"  # noqa: S608 - constants
    f" AND {_IN_PIECE.format('start')}"
)
# What came since the snapshot is left to the next count. Says whether all times are whole now.
RECOUNT: Final = text(f"""
    WITH came AS MATERIALIZED (
        {_COUNTED.format(_IN_PIECE.format("occurred_at") + f" AND ({CAME_SINCE}) IS NOT TRUE")}
    ), {_BY_TIME}
    UPDATE counted_until SET whole = whole + tstzmultirange(tstzrange({_SINCE}, {_UNTIL}))
    WHERE name = 'services'
    RETURNING whole = '{{(,)}}'
""")  # noqa: S608 - constants

CLEAN: Final = text("""
    WITH hours AS (
        DELETE FROM service_hours WHERE hour < now() - make_interval(days => :days)
    )
    DELETE FROM late_arrivals WHERE marked_at < now() - CAST(:kept AS interval)
""")
# Under the lock: a count of a kind that is there already does not write it. What is counted by the
# minute is counted by the hour, too, and of those there are fewest.
CLEAN_KINDS: Final = text(f"""
    DELETE FROM record_kinds AS kind WHERE NOT EXISTS (
        SELECT FROM record_counts
        WHERE seconds = {GRAINS[-1]} AND record_counts.kind_id = kind.kind_id
    )
""")  # noqa: S608 - constants
# What was written since the last VACUUM is not in a BRIN index, and is then read whole. Each page
# is summarised once. Nobody is waited for: an autovacuum would be cancelled by that.
SUMMARISE: Final = text("""
    SELECT brin_summarize_new_values(index.oid)
    FROM pg_inherits
    JOIN pg_index ON indrelid = inhrelid
    JOIN pg_class AS index ON index.oid = indexrelid
    JOIN pg_am ON pg_am.oid = index.relam
    JOIN pg_class AS partition ON partition.oid = inhrelid
    WHERE inhparent = 'log_records'::regclass AND amname = 'brin'
    AND (partition.relname = 'log_records_default'
        OR partition.relname >= 'log_records_' || to_char(now() - interval '1 day', 'YYYYMMDD'))
""")
BRIEFLY: Final = text("SET LOCAL lock_timeout = '50ms'")
