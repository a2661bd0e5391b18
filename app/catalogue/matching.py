"""Signatures of the database held against the catalogue."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app import metrics
from app.catalogue import queries
from app.catalogue.matcher import Matcher, subject_of
from app.catalogue.model import Match
from app.catalogue.rules import Subject
from app.normalise.record import ReportedException

AT_ONCE: Final = 500


class Tally(msgspec.Struct, frozen=True):
    """How many signatures were matched, by tier; `none` for those that no entry explains."""

    tiers: dict[str, int] = {}

    def total(self) -> int:
        return sum(self.tiers.values())

    def tell(self) -> None:
        """Count them in the metrics: once the transaction that matched them is committed."""
        for tier, count in self.tiers.items():
            metrics.MATCHES.labels(tier=tier).inc(count)


async def match_signatures(
    session: AsyncSession, matcher: Matcher, *, among: Iterable[str] | None = None
) -> Tally:
    """Match signatures this catalogue has not seen: all `among` these, or the next 500 of all."""
    limit = AT_ONCE if among is None else None
    found = await queries.unmatched_signatures(
        session, catalogue_hash=matcher.catalogue_hash, limit=limit, among=among
    )
    if not found:
        return Tally()
    best = {signature_id: _best(matcher, sample) for signature_id, sample in found}
    versions = await queries.current_versions(session)
    # A newer replica may have retired an entry that this one still knows.
    kept = {s: m if m and m.known_issue_id in versions else None for s, m in best.items()}
    await queries.save_matches(
        session, kept, catalogue_hash=matcher.catalogue_hash, versions=versions
    )
    return Tally(tiers=dict(Counter(m.tier.value if m else "none" for m in kept.values())))


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
        release=sample.get("release") or "",
        attributes=sample.get("attributes") or {},
    )
