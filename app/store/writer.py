"""One batch -> one transaction: records, signatures, marks. Committed when it returns."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import msgspec

from app.normalise.record import LogRecord
from app.store import queries
from app.store.arrivals import span_of_late
from app.store.batch import (
    SignedRecord,
    annotated_row,
    by_signature,
    count_columns,
    key_of,
    record_row,
    sequence_columns,
    signature_columns,
)

# What PostgreSQL or the driver says of a value it cannot hold; never of a missing server.
_POISON: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    ValueError,
    TypeError,
    OverflowError,
)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch: how many were new, how many stored before, which were refused."""

    stored: int = 0
    resent: int = 0
    refused: tuple[SignedRecord, ...] = ()
    new_signatures: int = 0

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            stored=self.stored + other.stored,
            resent=self.resent + other.resent,
            refused=self.refused + other.refused,
            new_signatures=self.new_signatures + other.new_signatures,
        )


Watch = Callable[[list[LogRecord]], set[str]]
"""Chains that the digest must look at because of these records, though none is an error."""


def watch_nothing(_records: list[LogRecord]) -> set[str]:
    """For a store that no digest follows."""
    return set()


async def write_batch(
    driver: Any, batch: list[SignedRecord], watch: Watch = watch_nothing
) -> Outcome:
    """Store the batch; what cannot be stored is found by halving and refused.

    `driver` is an asyncpg connection outside any transaction.
    """
    # Sorted: two batches that hold the same records must lock them in the same order.
    return await _write_or_halve(driver, sorted(batch, key=key_of), watch)


async def _write_or_halve(driver: Any, batch: list[SignedRecord], watch: Watch) -> Outcome:
    if not batch:
        return Outcome()
    try:
        return await _write(driver, batch, watch)
    except _POISON:
        if len(batch) == 1:
            return Outcome(refused=(batch[0],))
    half = len(batch) // 2
    first = await _write_or_halve(driver, batch[:half], watch)
    return first + await _write_or_halve(driver, batch[half:], watch)


async def _write(driver: Any, batch: list[SignedRecord], watch: Watch) -> Outcome:
    """A batch that came upon a partition being made, or upon a deadlock, is written again."""
    try:
        return await _write_once(driver, batch, watch)
    except (asyncpg.CheckViolationError, asyncpg.TransactionRollbackError):
        return await _write_once(driver, batch, watch)


async def _write_once(driver: Any, batch: list[SignedRecord], watch: Watch) -> Outcome:
    if not any(signed.record.resent_by_identity for signed in batch):
        try:
            async with driver.transaction():
                await _copy(driver, "log_records", batch)
                return await _account(driver, batch, watch, resent=0)
        except asyncpg.UniqueViolationError:
            pass
    return await _write_slowly(driver, batch, watch)


async def _write_slowly(driver: Any, batch: list[SignedRecord], watch: Watch) -> Outcome:
    """The path of a batch that holds, or may hold, something stored before."""
    async with driver.transaction():
        unknown = await _not_yet_stored(driver, batch)
        await driver.execute(queries.STAGE_RECORDS)
        await _copy(driver, "staged_records", unknown)
        rows = await driver.fetch(queries.INSERT_STAGED)
        inserted = {(row["correlation_id"], row["occurred_at"], row["record_id"]) for row in rows}
        new = [one for key, one in {key_of(s): s for s in unknown}.items() if key in inserted]
        return await _account(driver, new, watch, resent=len(batch) - len(new))


async def _not_yet_stored(driver: Any, batch: list[SignedRecord]) -> list[SignedRecord]:
    """Without the records that the sender identified but did not time, if stored before."""
    untimed = {_identity(signed) for signed in batch if signed.record.resent_by_identity}
    if not untimed:
        return batch
    await driver.execute(queries.LOCK_IDENTITIES, [str(record_id) for _, record_id in untimed])
    chains, records = zip(*untimed, strict=True)
    rows = await driver.fetch(queries.STORED_IDENTITIES, chains, records)
    seen = {(row["correlation_id"], row["record_id"]) for row in rows}
    unknown = []
    for signed in batch:
        if signed.record.resent_by_identity:
            if _identity(signed) in seen:
                continue
            # Two requests of one group may both bring it.
            seen.add(_identity(signed))
        unknown.append(signed)
    return unknown


def _identity(signed: SignedRecord) -> tuple[str, UUID]:
    return signed.record.correlation_id, signed.record.record_id


async def _copy(driver: Any, table: str, batch: list[SignedRecord]) -> None:
    # An array, even an empty one, takes a fourth of the time of encoding a row.
    annotated = any(signed.record.annotations for signed in batch)
    await driver.copy_records_to_table(
        table,
        records=map(annotated_row if annotated else record_row, batch),
        columns=queries.RECORD_COLUMNS if annotated else queries.PLAIN_COLUMNS,
    )


async def _account(driver: Any, new: list[SignedRecord], watch: Watch, *, resent: int) -> Outcome:
    """Mark the chains of the new records, note their numbers, and count their signatures."""
    mark_id = uuid4()
    failing = {signed.record.correlation_id for signed in new if signed.signature}
    touched = {signed.record.correlation_id for signed in new} - failing
    watched = watch([signed.record for signed in new if not signed.signature]) - failing
    if failing:
        await driver.execute(queries.MARK_CHAINS, list(failing), list(touched - watched), mark_id)
    elif touched - watched:
        await driver.execute(queries.MARK_TOUCHED, list(touched - watched), mark_id)
    if watched:
        await driver.execute(queries.MARK_WATCHED, list(watched), mark_id)
    if late := span_of_late((signed.record for signed in new), now=datetime.now(UTC)):
        await driver.execute(queries.MARK_LATE, *late)
    if numbers := sequence_columns(new):
        await driver.execute(queries.MARK_SEQUENCES, mark_id, *numbers)
    # Last: from here to the commit other writers wait that count the same signatures.
    new_signatures = await _count_signatures(driver, by_signature(new))
    return Outcome(stored=len(new), resent=resent, new_signatures=new_signatures)


async def _count_signatures(driver: Any, groups: dict[str, list[SignedRecord]]) -> int:
    """Count what is known by its name alone, and store what is new whole; how many that were."""
    if not groups:
        return 0
    known = await driver.fetch(queries.COUNT_SIGNATURES, *count_columns(groups))
    for row in known:
        del groups[row["signature_id"]]
    if not groups:
        return 0
    rows = await driver.fetch(queries.UPSERT_SIGNATURES, *signature_columns(groups))
    return sum(row["is_new"] for row in rows)
