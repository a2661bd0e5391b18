"""Entries held against chains in which nothing failed: a rule that hits those is not specific."""

from collections import Counter
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue import queries
from app.catalogue.matcher import Matcher, subject_of

RECORDS_A_ROUND: Final = 500


async def check_health(
    session: AsyncSession, matcher: Matcher, *, seen: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Count, for each entry, how many of some healthy chains it hits.

    An entry that hits more than 1 % of at least 200 is left out of matching and says so
    (elastic-recheck calls a signature unspecific that hits 10 % of successes). Chains in `seen`
    were counted before; the answer is those of this round.
    """
    found_now = await queries.healthy_records(session, limit=RECORDS_A_ROUND)
    records = [record for record in found_now if record.correlation_id not in seen]
    hits: dict[str, set[str]] = {}
    for record in records:
        subject = subject_of(record.message, service=record.service, level=record.level)
        for match in matcher.match(subject):
            hits.setdefault(match.known_issue_id, set()).add(record.correlation_id)
    chains = {record.correlation_id for record in records}
    versions = await queries.current_versions(session)
    known = {name: version for name, version in versions.items() if name in matcher.issues}
    counted = Counter({name: len(found) for name, found in hits.items()})
    if chains:
        await queries.add_health(session, chains=len(chains), hits=counted, versions=known)
    return frozenset(record.correlation_id for record in found_now)
