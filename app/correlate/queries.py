"""Every statement of the correlate room, by name."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.correlate.link import Link
from app.normalise.record import Severity
from app.normalise.text import json_text

LAST_NUMBER: Final = 2**63 - 2
MOST_SETTLED: Final = 4
"""Marks looked at for each chain that is wanted: a busy chain has many."""

# A chain that never falls silent is digested all the same after ten quiet times. A mark of the
# future is a time at which to look again. The lock ends with the transaction: a replica that
# takes the same marks goes past the chains of this one. Materialized: else the lock would be
# taken for marks that the limit leaves out.
_CLAIM = text("""
    WITH settled AS MATERIALIZED (
        SELECT correlation_id, marked_at
        FROM chain_marks AS mark
        WHERE marked_at <= now() - make_interval(secs => :quiet)
        AND (
            marked_at <= now() - make_interval(secs => :quiet * 10)
            OR NOT EXISTS (
                SELECT FROM chain_marks AS newer
                WHERE newer.correlation_id = mark.correlation_id
                AND newer.marked_at > now() - make_interval(secs => :quiet)
                AND newer.marked_at <= now()
            )
        )
        ORDER BY marked_at
        LIMIT :marks
    ), chains AS MATERIALIZED (
        SELECT correlation_id, min(marked_at) AS marked_at FROM settled
        GROUP BY correlation_id ORDER BY 2 LIMIT :chains
    )
    SELECT correlation_id, extract(epoch FROM now() - marked_at)::float AS waited FROM chains
    WHERE pg_try_advisory_xact_lock(hashtextextended(correlation_id, 6))
    ORDER BY marked_at
""")
_CLAIM_ONE = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:chain, 6))")
_IS_MARKED = text("""
    SELECT EXISTS (
        SELECT FROM chain_marks WHERE correlation_id = :chain AND marked_at <= now()
    )
""")

# Gone with the transaction that digests them: a crash gives them back. A mark that comes after
# this statement stays, and has the chain digested again; so does one of the future, because what
# it waits for may come in another chain.
_TAKE_MARKS = text("""
    DELETE FROM chain_marks WHERE correlation_id = ANY(:chains) AND marked_at <= now()
""")

_MARK_LATER = text("""
    INSERT INTO chain_marks (correlation_id, marked_at)
    SELECT * FROM jsonb_to_recordset(CAST(:marks AS jsonb))
        AS later (correlation_id text, marked_at timestamptz)
    WHERE NOT EXISTS (
        SELECT FROM chain_marks AS mark
        WHERE mark.correlation_id = later.correlation_id AND mark.marked_at = later.marked_at
    )
""")

# Sorted, as those who store errors do: late records of these chains are then marked, too.
_KNOW_FAILING = text("""
    INSERT INTO failing_chains (correlation_id)
    SELECT chain FROM unnest(CAST(:chains AS text[])) AS chain ORDER BY 1
    ON CONFLICT DO NOTHING
""")

_PLAIN = tuple(
    name
    for name in Link.__struct_fields__
    if name not in {"level", "message", "exception_type", "exception_message", "attributes"}
)
_COLUMNS = ", ".join(("correlation_id", *_PLAIN))
_LINKS = """
    SELECT link.*
    FROM unnest(CAST(:chains AS text[])) AS wanted (chain_id)
    CROSS JOIN LATERAL (
        SELECT {columns}, level::text, left(message, 2000) AS message,
            left(exception ->> 'type', 500) AS exception_type,
            left(exception ->> 'message', 2000) AS exception_message,
            CASE WHEN attributes <> '{{}}' AND pg_column_size(attributes) < 8000
                THEN attributes::text END AS attributes
        FROM log_records
        WHERE correlation_id = wanted.chain_id {condition}
        ORDER BY occurred_at {direction}, record_id
        LIMIT :most
    ) AS link
"""
_FIRST = text(_LINKS.format(columns=_COLUMNS, condition="", direction=""))
_LAST = text(_LINKS.format(columns=_COLUMNS, condition="", direction="DESC"))
_ERRORS = text(
    _LINKS.format(columns=_COLUMNS, condition="AND signature_id IS NOT NULL", direction="")
)

_WAITING = text("""
    SELECT count(*) FROM (SELECT FROM chain_marks WHERE marked_at <= now() LIMIT 100000) AS marks
""")

# Merged into what came before; what is missing is what lies between. When all closed that was
# missing before, what is missing now is only on its way since then. Sorted: two replicas must lock
# the senders in the same order.
_FOLD = text("""
    WITH oldest AS (
        SELECT mark_id, service, instance FROM sequence_marks
        ORDER BY mark_id LIMIT 5000 FOR UPDATE SKIP LOCKED
    ), taken AS (
        DELETE FROM sequence_marks USING oldest
        WHERE (sequence_marks.mark_id, sequence_marks.service, sequence_marks.instance)
            = (oldest.mark_id, oldest.service, oldest.instance)
        RETURNING sequence_marks.service, sequence_marks.instance, seen, marked_at
    )
    INSERT INTO sender_sequences AS sender (service, instance, received, newest_at, missing_since)
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


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """Chains to digest now, the longest waiting first."""

    names: list[str]
    waited: float = 0.0
    """Seconds since the first of them was marked."""


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


async def claim_settled(session: AsyncSession, *, quiet_seconds: float, limit: int) -> Settled:
    """Chains that are settled, and no other replica's until the commit."""
    parameters = {"quiet": quiet_seconds, "chains": limit, "marks": limit * MOST_SETTLED}
    rows = (await session.execute(_CLAIM, parameters)).all()
    return Settled(
        names=[row.correlation_id for row in rows], waited=rows[0].waited if rows else 0.0
    )


async def claim_chain(session: AsyncSession, chain: str) -> bool:
    """Whether this chain waits for the digest, settled or not, and no other replica has it."""
    if not await is_marked(session, chain):
        return False
    return bool((await session.execute(_CLAIM_ONE, {"chain": chain})).scalar_one())


async def is_marked(session: AsyncSession, chain: str) -> bool:
    """Whether this chain waits for the digest."""
    return bool((await session.execute(_IS_MARKED, {"chain": chain})).scalar_one())


async def take_marks(session: AsyncSession, chains: Sequence[str]) -> None:
    """These chains are digested by this transaction."""
    await session.execute(_TAKE_MARKS, {"chains": list(chains)})


async def mark_later(session: AsyncSession, times: Iterable[tuple[str, datetime]]) -> None:
    """Have these chains digested again at these times."""
    marks = [{"correlation_id": chain, "marked_at": at} for chain, at in times]
    if marks:
        await session.execute(_MARK_LATER, {"marks": json_text(marks)})


async def know_failing(session: AsyncSession, chains: Collection[str]) -> None:
    """These chains fail though they hold no error: their late records may change what they mean."""
    await session.execute(_KNOW_FAILING, {"chains": list(chains)})


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a chain."""

    links: list[Link]
    capped: bool
    """True when it holds more."""


async def records_of(
    session: AsyncSession, chains: Sequence[str], *, most: int
) -> dict[str, Records]:
    """The first `most` records of each chain; of a longer one, also its last and its errors."""
    found: dict[str, dict[Any, Link]] = {chain: {} for chain in chains}
    await _read_links(session, _FIRST, chains, most, found)
    longer = [chain for chain, links in found.items() if len(links) >= most]
    for statement in (_ERRORS, _LAST) if longer else ():
        await _read_links(session, statement, longer, most, found)
    return {
        chain: Records(links=list(links.values()), capped=chain in longer)
        for chain, links in found.items()
    }


async def _read_links(
    session: AsyncSession,
    statement: Any,
    chains: Sequence[str],
    most: int,
    found: dict[str, dict[Any, Link]],
) -> None:
    rows = await session.execute(statement, {"chains": list(chains), "most": most})
    for chain, *values, level, message, type_, said, attributes in rows:
        link = Link(
            **dict(zip(_PLAIN, values, strict=True)),
            level=Severity(level),
            message=message,
            exception_type=type_ or "",
            exception_message=said or "",
            attributes=msgspec.json.decode(attributes) if attributes else {},
        )
        found[chain][link.record_id, link.occurred_at] = link


async def marks_waiting(session: AsyncSession) -> int:
    """How many marks wait for the digest, counted up to 100,000."""
    return int((await session.execute(_WAITING)).scalar_one())


async def fold_sequences(session: AsyncSession) -> int:
    """Merge what the batches received of their senders' numbering; how many senders."""
    folded = (await session.execute(_FOLD)).rowcount  # type: ignore[attr-defined]
    if folded:
        await session.execute(_TRIM)
    return int(folded)


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
