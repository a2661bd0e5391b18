"""Every statement about the numbering of senders, by name."""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.normalise.text import json_text

LAST_NUMBER: Final = 2**63 - 2
MARKS_AT_ONCE: Final = 5_000

# Merged into what came before; what is missing is what lies between. When all closed that was
# missing before, what is missing now is only on its way since then. Sorted: two replicas must lock
# the senders in the same order.
_FOLD = text("""
    WITH oldest AS (
        SELECT mark_id, service, instance FROM sequence_marks
        ORDER BY marked_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), taken AS (
        DELETE FROM sequence_marks USING oldest
        WHERE (sequence_marks.mark_id, sequence_marks.service, sequence_marks.instance)
            = (oldest.mark_id, oldest.service, oldest.instance)
        RETURNING sequence_marks.service, sequence_marks.instance, seen, marked_at
    ), folded AS (
        INSERT INTO sender_sequences AS sender (
            service, instance, received, newest_at, missing_since
        )
        SELECT service, instance, range_agg(seen), max(marked_at),
            CASE WHEN int8multirange(range_merge(range_agg(seen))) <> range_agg(seen) THEN now() END
        FROM taken
        GROUP BY service, instance
        ORDER BY service, instance
        ON CONFLICT (service, instance) DO UPDATE SET
            received = sender.received + excluded.received,
            newest_at = greatest(sender.newest_at, excluded.newest_at),
            missing_since = CASE
                WHEN int8multirange(range_merge(sender.received + excluded.received))
                    - (sender.received + excluded.received) - sender.told = '{}' THEN NULL
                WHEN int8multirange(range_merge(sender.received))
                    - (sender.received + excluded.received) - sender.told = '{}' THEN now()
                ELSE coalesce(sender.missing_since, now())
            END
    )
    SELECT count(*) FROM taken
""")
# A sender whose numbers are no numbering: of its many holes only the newest are remembered.
_TRIM = text("""
    UPDATE sender_sequences AS sender
    SET received = (
        SELECT range_agg(range) + int8multirange(int8range(lower(sender.received), min(lower(range))))
        FROM (
            SELECT range FROM unnest(sender.received) AS range ORDER BY range DESC LIMIT 500
        ) AS newest
    )
    WHERE newest_at > now() - interval '1 minute'
    AND (SELECT count(*) FROM unnest(sender.received)) > 1000
""")  # noqa: E501
_MISSING = text("""
    SELECT sender.service, sender.instance, lower(hole) AS first, upper(hole) - 1 AS last
    FROM jsonb_to_recordset(CAST(:windows AS jsonb))
        AS chain (service text, instance text, first bigint, last bigint)
    JOIN sender_sequences AS sender USING (service, instance)
    CROSS JOIN LATERAL unnest(
        (int8multirange(range_merge(received)) - received)
        * int8multirange(int8range(chain.first, chain.last, '[]'))
    ) AS hole
""")
_UNTOLD = text("""
    WITH late AS (
        SELECT service, instance, newest_at,
            int8multirange(range_merge(received)) - received - told AS missing
        FROM sender_sequences
        WHERE missing_since <= now() - make_interval(secs => :grace)
        ORDER BY service, instance
        LIMIT 100
        FOR UPDATE SKIP LOCKED
    ), told AS (
        UPDATE sender_sequences AS sender
        SET told = sender.told + late.missing, missing_since = NULL
        FROM late
        WHERE (sender.service, sender.instance) = (late.service, late.instance)
    )
    SELECT service, instance,
        (SELECT sum(upper(hole) - lower(hole))::bigint FROM unnest(missing) AS hole) AS records,
        ARRAY(
            SELECT ARRAY[lower(hole), upper(hole) - 1] FROM unnest(missing) AS hole LIMIT 20
        ) AS ranges
    FROM late
    WHERE missing <> '{}'
""")
_FORGET_SENDERS = text("""
    DELETE FROM sender_sequences WHERE newest_at < now() - make_interval(days => :days)
""")


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one sender that a chain is concerned with, both ends included."""

    service: str
    instance: str
    first: int
    last: int


class MissingRecords(msgspec.Struct, frozen=True, kw_only=True):
    """Records that a sender numbered and the service never received."""

    service: str
    instance: str
    records: int
    ranges: tuple[tuple[int, int], ...]
    """The first twenty, both ends included."""


Missing = dict[tuple[str, str], list[tuple[int, int]]]
"""Of each service and instance the ranges that never came, both ends included."""


async def fold_sequences(session: AsyncSession) -> bool:
    """Merge what the batches received of their senders' numbering; whether more may wait."""
    folded = int((await session.execute(_FOLD, {"limit": MARKS_AT_ONCE})).scalar_one())
    if folded:
        await session.execute(_TRIM)
    return folded == MARKS_AT_ONCE


async def missing_in(session: AsyncSession, windows: Iterable[Window]) -> Missing:
    """What was never received of these numbers."""
    # The end of a range is one more, and must still be a bigint.
    wanted = [
        msgspec.structs.replace(
            one, first=min(one.first, LAST_NUMBER), last=min(one.last, LAST_NUMBER)
        )
        for one in windows
    ]
    found: Missing = {}
    if wanted:
        rows = await session.execute(_MISSING, {"windows": json_text(wanted)})
        for service, instance, first, last in rows:
            found.setdefault((service, instance), []).append((first, last))
    return found


async def untold_gaps(session: AsyncSession, *, grace_seconds: float) -> list[MissingRecords]:
    """What has been missing for so long, each number told once."""
    rows = await session.execute(_UNTOLD, {"grace": grace_seconds})
    return [
        MissingRecords(
            service=row.service,
            instance=row.instance,
            records=row.records,
            ranges=tuple((first, last) for first, last in row.ranges),
        )
        for row in rows
    ]


async def forget_senders(session: AsyncSession, *, days: int) -> None:
    """Drop the numbering of senders that have been silent for so long."""
    await session.execute(_FORGET_SENDERS, {"days": days})
