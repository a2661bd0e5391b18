"""Signatures and matches that stand for chain rules, so that a behaviour has an incident too."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.matcher import EXACT_SCORE
from app.catalogue.model import Match, Tier
from app.catalogue.queries import save_matches
from app.correlate.queries import (
    know_failing,
    mark_later,
)
from app.incidents import queries
from app.incidents.contribution import Delta
from app.incidents.findings import VERSION, Found
from app.incidents.plan import Digested, Plan

LOOK_AGAIN: Final = timedelta(seconds=20)


async def save_findings(
    session: AsyncSession,
    digested: Sequence[Digested],
    plan: Plan,
    versions: Mapping[str, int],
    catalogue_hash: str,
) -> None:
    """The roots of chains in which a rule holds and nothing is an error."""
    roots = Counter(
        r.root_signature_id for r in plan.new if r.root_signature_id.startswith(VERSION)
    )
    if not roots:
        return
    found = {one.signature_id: one for d in digested for one in d.found}
    rows = [_signature_row(found[name], count) for name, count in sorted(roots.items())]
    await queries.count_findings(session, rows, version=VERSION)
    fresh: dict[str, Match | None] = {name: _match(found[name]) for name in roots}
    await save_matches(session, fresh, catalogue_hash=catalogue_hash, versions=dict(versions))
    chains = {r.correlation_id for r in plan.new if r.root_signature_id in roots}
    await know_failing(session, chains)
    # Records that are being stored now are marked by nobody: their chain was not known to fail.
    again = datetime.now(UTC) + LOOK_AGAIN
    await mark_later(session, [(name, again) for name in sorted(chains)])


def finding_rows(
    changes: Mapping[UUID, Delta], digested: Sequence[Digested]
) -> list[dict[str, Any]]:
    """Rows of `incident_findings` to add, sorted by key."""
    found = {one.known_issue_id: one for d in digested for one in d.found}
    return [
        {
            "incident_id": incident_id,
            "known_issue_id": name,
            "chains": count,
            "evidence": msgspec.to_builtins(found[name].evidence) if name in found else [],
        }
        for incident_id, delta in sorted(changes.items())
        for name, count in sorted(delta.findings.items())
        if count
    ]


def _signature_row(found: Found, count: int) -> dict[str, Any]:
    link = found.link
    return {
        "signature_id": found.signature_id,
        "title": found.title,
        "seen_at": link.seen_at,
        "records": count,
        "sample": {
            "message": link.message,
            "exception": None,
            "service": link.service,
            "level": link.level.value,
            "release": link.release,
            "attributes": dict(link.attributes),
        },
    }


def _match(found: Found) -> Match:
    return Match(
        known_issue_id=found.known_issue_id,
        tier=Tier.EXACT,
        score=EXACT_SCORE,
        evidence=found.evidence,
    )
