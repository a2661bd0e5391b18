"""Which incident a root error belongs to. Read-only."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.incidents.tables import incident_roots


async def incidents_of_roots(session: AsyncSession, names: Iterable[str]) -> dict[str, UUID]:
    """Signature -> the incident that it is a root of; a signature is a root of one at most."""
    query = select(incident_roots.c.root_signature_id, incident_roots.c.incident_id).where(
        incident_roots.c.root_signature_id.in_(list(names))
    )
    return {row[0]: row[1] for row in await session.execute(query)}
