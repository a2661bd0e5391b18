"""Whether anything came at all, and what came last, by name."""

from datetime import datetime

import msgspec
from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.normalise.record import Severity
from app.query.rows import view
from app.store.tables import log_records, service_hours

_COLUMNS = ("correlation_id", "service", "level", "message", "received_at")


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A record that came."""

    correlation_id: str
    service: str
    level: Severity
    message: str
    received_at: datetime


async def anything_stored(session: AsyncSession) -> bool:
    """False on the first visit; what was stored and forgotten again counts as stored."""
    # Counted hours outlive the records; those of the last seconds are not counted yet.
    asked = or_(*(exists().select_from(table) for table in (service_hours, log_records)))
    return bool((await session.execute(select(asked))).scalar_one())


async def first_arrival(session: AsyncSession, correlation_id: str) -> Arrival | None:
    """The first record of this chain that came."""
    query = (
        select(*(log_records.c[name] for name in _COLUMNS))
        .where(log_records.c.correlation_id == correlation_id)
        .order_by(log_records.c.received_at)
        .limit(1)
    )
    row = (await session.execute(query)).mappings().one_or_none()
    return view(row, Arrival) if row else None
