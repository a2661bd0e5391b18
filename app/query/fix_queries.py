"""Every statement that reads what stands around a fix, by name."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.tables import known_issues, match_verdicts
from app.query.fix_views import VerdictView
from app.query.rows import view


async def verdicts_of(session: AsyncSession, signature_id: str) -> tuple[VerdictView, ...]:
    """What people said of the matches of a signature, newest first."""
    query = (
        select(match_verdicts)
        .where(match_verdicts.c.signature_id == signature_id)
        .order_by(match_verdicts.c.decided_at.desc(), match_verdicts.c.known_issue_id)
    )
    return tuple(view(row, VerdictView) for row in (await session.execute(query)).mappings())


async def symptoms_of(session: AsyncSession, known_issue_id: str, version: int | None) -> str:
    """Of one version of an entry; without one, of the newest."""
    query = (
        select(known_issues.c.symptoms)
        .where(known_issues.c.known_issue_id == known_issue_id)
        .order_by(known_issues.c.version.desc())
        .limit(1)
    )
    if version is not None:
        query = query.where(known_issues.c.version == version)
    return (await session.execute(query)).scalar_one_or_none() or ""
