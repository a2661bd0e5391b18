"""Failing chains counted by time and by what failed: what a round of the digest changes. Pure."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from app.incidents.plan import Before, Plan

GRAINS: Final = (300, 3_600)
"""Seconds of a time that is counted; longer times are sums of these."""
ORIGIN: Final = datetime(1970, 1, 5, tzinfo=UTC)


class Kind(NamedTuple):
    """When chains failed, and through what."""

    seconds: int
    start: datetime
    roots: tuple[str, ...]
    """Every root signature of the chain."""
    by_rule: tuple[str, ...]
    """Those of them that the chain's own rules explain, whatever their matches say."""


def changed_counts(before: Before, plan: Plan) -> list[dict[str, Any]]:
    """Rows of `failing_counts` to add, by key; a chain counts where its first root stands."""
    come: dict[str, dict[str, Any]] = {}
    for row in plan.come:
        come.setdefault(row.correlation_id, {})[row.root_signature_id] = row
    gone = set(plan.dropped)
    changes: Counter[Kind] = Counter()
    for name in {*come, *(name for name, _ in gone)}:
        known = before.get(name, {})
        stay = {root: row for root, row in known.items() if (name, root) not in gone}
        changes.subtract(kinds_of(known))
        changes.update(kinds_of({**stay, **come.get(name, {})}))
    return [
        {**kind._asdict(), "chains": chains} for kind, chains in sorted(changes.items()) if chains
    ]


def kinds_of(rows: Mapping[str, Any]) -> list[Kind]:
    """What one chain counts as, by its rows of `incident_chains`; nothing when it has none."""
    if not rows:
        return []
    at = min(row.root_at for row in rows.values())
    by_rule = tuple(sorted(root for root, row in rows.items() if row.findings))
    return [
        Kind(seconds, at - (at - ORIGIN) % timedelta(seconds=seconds), tuple(sorted(rows)), by_rule)
        for seconds in GRAINS
    ]
