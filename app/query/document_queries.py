"""Documents as far as their entries hold them, by name. Read-only."""

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.tables import known_issues
from app.query.rows import view

_COLUMNS = [
    *(
        known_issues.c[name]
        for name in (
            "known_issue_id",
            "version",
            "title",
            "collection",
            "document",
            "first_line",
            "last_line",
            "imported_at",
            "retired_at",
        )
    ),
    known_issues.c.entry["written"].astext.label("written"),
]


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """The lines of a document that an entry was made from, in one of its versions."""

    known_issue_id: str
    version: int
    title: str
    collection: str
    document: str
    first_line: int
    last_line: int
    imported_at: datetime
    retired_at: datetime | None
    written: str | None
    """None: imported before the lines themselves were stored."""


async def passages_of(session: AsyncSession, document: str) -> tuple[Passage, ...]:
    """Of its current entries, in their order."""
    newest = (
        select(known_issues.c.known_issue_id, known_issues.c.version)
        .ext(distinct_on(known_issues.c.known_issue_id))
        .order_by(known_issues.c.known_issue_id, known_issues.c.version.desc())
        .subquery()
    )
    query = (
        select(*_COLUMNS)
        .join(
            newest,
            (newest.c.known_issue_id == known_issues.c.known_issue_id)
            & (newest.c.version == known_issues.c.version),
        )
        .where(known_issues.c.document == document, known_issues.c.retired_at.is_(None))
        .order_by(known_issues.c.collection, known_issues.c.first_line)
    )
    return tuple(view(row, Passage) for row in (await session.execute(query)).mappings())


async def find_passage(
    session: AsyncSession, document: str, known_issue_id: str, version: int
) -> Passage | None:
    """Of an entry in any of its versions, as it stood in this document."""
    query = select(*_COLUMNS).where(
        known_issues.c.document == document,
        known_issues.c.known_issue_id == known_issue_id,
        known_issues.c.version == version,
    )
    row = (await session.execute(query)).mappings().one_or_none()
    return view(row, Passage) if row else None
