"""Signatures of the database held against the catalogue."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app import metrics
from app.catalogue import queries
from app.catalogue.matcher import Matcher, subject_of
from app.catalogue.model import Match
from app.catalogue.rules import Subject
from app.normalise.record import ReportedException


async def match_signatures(
    session: AsyncSession, matcher: Matcher, *, among: Iterable[str] | None = None, limit: int = 500
) -> int:
    """Match signatures that this catalogue has not seen; how many there were, up to `limit`."""
    found = await queries.unmatched_signatures(
        session, catalogue_hash=matcher.catalogue_hash, limit=limit, among=among
    )
    if not found:
        return 0
    best = {signature_id: _best(matcher, sample) for signature_id, sample in found}
    versions = await queries.current_versions(session)
    # A newer replica may have retired an entry that this one still knows.
    kept = {s: m if m and m.known_issue_id in versions else None for s, m in best.items()}
    await queries.save_matches(
        session, kept, catalogue_hash=matcher.catalogue_hash, versions=versions
    )
    for match in kept.values():
        metrics.MATCHES.labels(tier=match.tier.value if match else "none").inc()
    return len(found)


def _best(matcher: Matcher, sample: dict[str, Any]) -> Match | None:
    return next(iter(matcher.match(subject_of_sample(sample))), None)


def subject_of_sample(sample: dict[str, Any]) -> Subject:
    """The subject that a signature's stored sample stands for."""
    exception = sample.get("exception")
    return subject_of(
        sample["message"],
        msgspec.convert(exception, ReportedException) if exception else None,
        service=sample.get("service") or "",
        level=sample.get("level") or "",
        attributes=sample.get("attributes") or {},
    )
