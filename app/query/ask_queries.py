"""Whether an error that somebody asks about was seen here before. Read-only."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.query.rows import view


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A stored signature, and the incident that it is the root of."""

    signature_id: str
    records: int
    first_seen: datetime
    last_seen: datetime
    incident_id: UUID | None
    chains: int | None


_IS_CHAIN = text("SELECT EXISTS (SELECT FROM log_records WHERE correlation_id = :name)")
_SEEN = text("""
    SELECT signature_id, signatures.records, signatures.first_seen, signatures.last_seen,
        incident_id, chains
    FROM signatures
    LEFT JOIN incident_roots ON root_signature_id = signature_id
    LEFT JOIN incidents USING (incident_id)
    WHERE signature_id = :name
""")


async def seen(session: AsyncSession, signature_id: str) -> Seen | None:
    row = (await session.execute(_SEEN, {"name": signature_id})).mappings().one_or_none()
    return view(row, Seen) if row else None


async def is_chain(session: AsyncSession, correlation_id: str) -> bool:
    """Whether a log record with this correlation ID is stored."""
    return bool((await session.execute(_IS_CHAIN, {"name": correlation_id})).scalar_one())
