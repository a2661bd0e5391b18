"""Every statement that forgets, by name. The only ones of this room that delete."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import func, insert, literal_column, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.normalise.record import LogRecord
from app.normalise.text import json_text
from app.query.search import Search, condition_of
from app.query.tables import forgettings
from app.store.batch import SignedRecord, annotated_row, signed
from app.store.queries import LOCK_COUNTS, RECORD_COLUMNS
from app.store.tables import log_records

BATCH: Final = 1_000
LONGEST_STATEMENT: Final = "600s"
Key = tuple[str, Any, UUID]
_KEY: Final = tuple(log_records.c[name] for name in ("correlation_id", "occurred_at", "record_id"))
_PATIENTLY: Final = text("SELECT set_config('statement_timeout', :longest, true)")

# Under the name of the table, so that the same search is asked of rows that are kept elsewhere.
_GIVEN: Final = "SELECT * FROM jsonb_populate_recordset(NULL::log_records, CAST(:given AS jsonb))"
_EVIDENCE: Final = """
    SELECT record.*, evidence.incident_id, evidence.correlation_id AS chain
    FROM incident_evidence AS evidence
    CROSS JOIN LATERAL jsonb_populate_recordset(NULL::log_records, evidence.records) AS record
"""
_SAMPLES: Final = """
    SELECT record.*
    FROM signatures
    CROSS JOIN LATERAL jsonb_populate_record(NULL::log_records, jsonb_build_object(
        'message', sample -> 'message', 'exception', nullif(sample -> 'exception', 'null'),
        'service', sample -> 'service', 'level', coalesce(sample ->> 'level', 'ERROR'),
        'release', nullif(sample ->> 'release', ''),
        'attributes', coalesce(sample -> 'attributes', '{}'), 'signature_id', signature_id
    )) AS record
"""
_DELETE: Final = text("""
    DELETE FROM log_records AS record
    USING unnest(
        CAST(:chains AS text[]), CAST(:times AS timestamptz[]), CAST(:records AS uuid[])
    ) AS wanted (correlation_id, occurred_at, record_id)
    WHERE (record.correlation_id, record.occurred_at, record.record_id)
        = (wanted.correlation_id, wanted.occurred_at, wanted.record_id)
    RETURNING record.signature_id, left(record.message, 32768) AS message,
        record.exception ->> 'message' AS said,
        date_trunc('hour', record.occurred_at, 'UTC') AS hour
""")
_LOCK_COUNTS: Final = text(LOCK_COUNTS)
_COUNT_HOURS_AGAIN: Final = text("""
    UPDATE counted_until SET whole = whole - (
        SELECT coalesce(range_agg(tstzrange(hour, hour + interval '1 hour')), '{}')
        FROM unnest(CAST(:hours AS timestamptz[])) AS hour
    ) WHERE name = 'services'
""")
# Sorted: a batch of records and this must lock signatures in the same order.
_SHOWING: Final = text("""
    WITH gone AS (
        SELECT * FROM jsonb_to_recordset(CAST(:gone AS jsonb))
            AS gone (signature_id text, message text, said text)
    )
    SELECT signature_id FROM signatures
    WHERE EXISTS (
        SELECT FROM gone
        WHERE gone.signature_id = signatures.signature_id
        AND starts_with(gone.message, left(sample ->> 'message', 8000))
        AND sample #>> '{exception,message}' IS NOT DISTINCT FROM gone.said
    )
    ORDER BY signature_id
    FOR NO KEY UPDATE
""")
_BARE: Final = """
    sample || jsonb_build_object(
        'message', '[forgotten]', 'attributes', '{}'::jsonb,
        'exception', CASE WHEN jsonb_typeof(sample -> 'exception') = 'object' THEN
            jsonb_build_object('message', '[forgotten]')
        END
    )
"""
_REDACT: Final = tuple(
    text(statement)
    for statement in (
        f"UPDATE signatures SET sample = {_BARE} WHERE signature_id = ANY(:names)",  # noqa: S608 - constants
        f"UPDATE match_verdicts SET sample = {_BARE} WHERE signature_id = ANY(:names)",  # noqa: S608
        """UPDATE matches SET evidence = (
            SELECT coalesce(jsonb_agg(one || '{"quote": ""}'), '[]')
            FROM jsonb_array_elements(evidence) AS one
        ) WHERE signature_id = ANY(:names)""",
    )
)
_STRIP: Final = text("""
    UPDATE incident_evidence SET records = (
        SELECT coalesce(jsonb_agg(one), '[]') FROM jsonb_array_elements(records) AS one
        WHERE one ->> 'record_id' <> ALL(CAST(:records AS text[]))
    )
    WHERE incident_id = :incident AND correlation_id = :chain
""")
_DROP_EMPTY: Final = text("DELETE FROM incident_evidence WHERE records = '[]'")


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """What a deleted error said: a sample that says the same is of it."""

    signature_id: str
    message: str
    said: str | None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Records that an incident kept of a chain."""

    incident_id: UUID
    chain: str
    records: tuple[str, ...]


async def patiently(session: AsyncSession) -> None:
    """Statements of this transaction may take long."""
    await session.execute(_PATIENTLY, {"longest": LONGEST_STATEMENT})


async def count_matching(session: AsyncSession, search: Search) -> int:
    query = select(func.count()).select_from(log_records).where(condition_of(search))
    return int((await session.execute(query)).scalar_one())


async def matching_keys(session: AsyncSession, search: Search) -> AsyncIterator[Sequence[Key]]:
    """In batches, however many there are."""
    query = select(*_KEY).where(condition_of(search)).execution_options(yield_per=BATCH)
    async for batch in (await session.stream(query)).partitions(BATCH):
        yield [(row[0], row[1], row[2]) for row in batch]


async def delete_records(session: AsyncSession, keys: Sequence[Key]) -> tuple[int, list[Gone]]:
    """How many were still there, and what errors of them said.

    Their hours are counted again later; until then whoever asks for these reads the records.
    """
    chains, times, records = zip(*keys, strict=True)
    parameters = {"chains": list(chains), "times": list(times), "records": list(records)}
    # Whoever counts may have it for as long as a statement may run.
    await patiently(session)
    await session.execute(_LOCK_COUNTS)
    rows = (await session.execute(_DELETE, parameters)).all()
    await session.execute(_COUNT_HOURS_AGAIN, {"hours": sorted({row.hour for row in rows})})
    said = {(r.signature_id, r.message, r.said) for r in rows if r.signature_id and r.message}
    return len(rows), [Gone(signature_id=s, message=m, said=x) for s, m, x in said]


async def redact_showing(session: AsyncSession, gone: Sequence[Gone]) -> list[str]:
    """Redact the samples that show one of these; their signatures."""
    if not gone:
        return []
    found = (await session.execute(_SHOWING, {"gone": json_text(gone)})).scalars().all()
    await redact(session, list(found))
    return list(found)


async def redact(session: AsyncSession, names: list[str]) -> None:
    """Samples, judged samples and quotes of these signatures keep what they are, not the text."""
    for statement in _REDACT if names else ():
        await session.execute(statement, {"names": sorted(names)})


async def matching_samples(session: AsyncSession, search: Search) -> list[str]:
    """Signatures whose sample matches."""
    query = _over(_SAMPLES, select(literal_column("log_records.signature_id")), search)
    return sorted((await session.execute(query)).scalars())


async def matching_evidence(session: AsyncSession, search: Search) -> list[Evidence]:
    """What incidents kept of records that match."""
    names = ("incident_id", "chain")
    columns: list[Any] = [literal_column(f"log_records.{name}").label(name) for name in names]
    records: Any = func.array_agg(literal_column("log_records.record_id::text")).label("records")
    query = _over(_EVIDENCE, select(*columns, records), search).group_by(*columns)
    return [
        Evidence(incident_id=row.incident_id, chain=row.chain, records=tuple(row.records))
        for row in await session.execute(query)
    ]


async def strip_evidence(session: AsyncSession, found: Evidence) -> None:
    """Take these records out; a chain of which nothing is left goes."""
    parameters = {
        "records": list(found.records),
        "incident": found.incident_id,
        "chain": found.chain,
    }
    await session.execute(_STRIP, parameters)
    await session.execute(_DROP_EMPTY)


async def matching_given(
    session: AsyncSession, search: Search, records: Sequence[LogRecord]
) -> set[Key]:
    """Keys of those that match, of records that are not in the database."""
    given = [_row(signed(place, record)) for place, record in enumerate(records)]
    query = _over(_GIVEN, select(*(literal_column(f"log_records.{c.name}") for c in _KEY)), search)
    rows = await session.execute(query, {"given": json_text(given)})
    return {(row[0], row[1], row[2]) for row in rows}


def _row(one: SignedRecord) -> dict[str, Any]:
    row = dict(zip(RECORD_COLUMNS, annotated_row(one), strict=True))
    for name in ("exception", "attributes"):
        row[name] = msgspec.json.decode(row[name]) if row[name] else None
    return row


def _over(source: str, query: Any, search: Search) -> Any:
    rows = text(f"{source} OFFSET 0").columns(*log_records.c).cte("log_records")
    return query.select_from(log_records).add_cte(rows).where(condition_of(search))


async def begin_audit(session: AsyncSession, row: Mapping[str, Any]) -> UUID:
    """Written before anything is deleted."""
    statement = insert(forgettings).values(**row).returning(forgettings.c.forgetting_id)
    return UUID(str((await session.execute(statement)).scalar_one()))


async def note(session: AsyncSession, name: UUID, **changed: Any) -> None:
    """What was done so far, in the transaction that did it."""
    await session.execute(
        update(forgettings).where(forgettings.c.forgetting_id == name).values(**changed)
    )


async def list_audit(session: AsyncSession, *, limit: int) -> list[Any]:
    query = select(forgettings).order_by(forgettings.c.requested_at.desc()).limit(limit)
    return list((await session.execute(query)).mappings())
