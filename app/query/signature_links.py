"""Where the signatures of log records lead: one statement, however many records."""

from collections.abc import Iterable
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.tables import matches
from app.incidents.tables import incident_roots
from app.query.rows import view
from app.store.tables import signatures


class SignatureLink(msgspec.Struct, frozen=True, kw_only=True):
    signature_id: str
    title: str
    known_issue_id: str | None
    """Null: the catalogue does not explain it."""
    incident_id: UUID | None
    """The incident that its chains go to, when it is or was a root."""


async def signature_links(session: AsyncSession, names: Iterable[str]) -> dict[str, SignatureLink]:
    """By signature; without those that are not known (any more)."""
    wanted = set(names)
    if not wanted:
        return {}
    query = (
        select(
            signatures.c.signature_id,
            signatures.c.title,
            matches.c.known_issue_id,
            incident_roots.c.incident_id,
        )
        .outerjoin(matches, matches.c.signature_id == signatures.c.signature_id)
        .outerjoin(incident_roots, incident_roots.c.root_signature_id == signatures.c.signature_id)
        .where(signatures.c.signature_id.in_(wanted))
    )
    rows = await session.execute(query)
    return {row["signature_id"]: view(row, SignatureLink) for row in rows.mappings()}
