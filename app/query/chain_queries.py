"""What the page of a chain asks beside its records, by name. Read-only."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.query import queries
from app.query.views import RecordView
from app.store.tables import log_records

COUNTED: Final = 100_000
Key = tuple[datetime, UUID]
"""Of a record within its chain: when it occurred, and its ID."""


async def count_records(session: AsyncSession, correlation_id: str) -> int:
    """How many records the chain has; counted up to `COUNTED` and one more."""
    some = (
        select(log_records.c.record_id)
        .where(log_records.c.correlation_id == correlation_id)
        .limit(COUNTED + 1)
        .subquery()
    )
    return (await session.execute(select(func.count()).select_from(some))).scalar_one()


async def records_after(
    session: AsyncSession, correlation_id: str, key: Key, *, most: int
) -> list[RecordView]:
    """The `most` records behind this one in time and one more, and the chain's first errors."""
    times = (log_records.c.occurred_at, log_records.c.record_id)
    chain = select(*queries.RECORD_COLUMNS).where(log_records.c.correlation_id == correlation_id)
    errors = chain.where(log_records.c.signature_id.is_not(None))
    behind = chain.where(tuple_(*times) > tuple_(*key))
    found = [
        one
        for query in (behind, errors)
        for one in await queries.read_records(session, query.order_by(*times).limit(most + 1))
    ]
    return list({(one.occurred_at, one.record_id): one for one in found}.values())
