"""One transaction of the digest: chains -> roots and findings -> incidents, their life and matches.

The order in which rows are locked is the same for every replica: chains (going past those that
another one has), then new roots, then incidents, then matches; each sorted. Whoever moves chains
from one incident to another waits for the rounds under way.
"""

import asyncio
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.matcher import Matcher
from app.catalogue.matching import Tally, match_signatures
from app.catalogue.queries import current_versions
from app.correlate.chain import correlate
from app.correlate.link import Link
from app.correlate.model import Chain, GapKind
from app.correlate.queries import (
    Records,
    mark_later,
    records_of,
    take_marks,
)
from app.correlate.sequence_queries import (
    Missing,
    Window,
    missing_in,
)
from app.incidents import queries
from app.incidents.change_queries import lock_incidents, standing_of
from app.incidents.contribution import counted, deltas, hour_rows, left_behind, rows_of, unions
from app.incidents.count_queries import forget_untold
from app.incidents.failing_count_queries import add_failing
from app.incidents.failing_counts import changed_counts
from app.incidents.finding_signatures import finding_rows, save_findings
from app.incidents.findings import Look, look
from app.incidents.life import follow_life
from app.incidents.plan import Before, Claim, Digested, plan_round

LOOK_AGAIN: Final = timedelta(seconds=60)
"""After so long a chain with missing records is looked at once more: they may have come."""


LONG: Final = 1_000
SLICE_SECONDS: Final = 0.005


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction of the digest did; told to metrics and log once it is committed."""

    taken: int = 0
    """Chains that wait no more."""
    chains: int = 0
    opened: tuple[tuple[UUID, str], ...] = ()
    """Incident and root signature."""
    regressed: tuple[UUID, ...] = ()
    matched: Tally = Tally()


async def digest_chains(
    session: AsyncSession, matcher: Matcher, names: Sequence[str], *, most: int
) -> Round:
    """Digest these chains, which this transaction has claimed."""
    now = datetime.now(UTC)
    records = await records_of(session, names, most=most)
    # Not before: a mark that came between the two is of a record that was read, and else stays.
    await take_marks(session, list(records))
    missing = await missing_in(session, windows_of(found.links for found in records.values()))
    versions = await current_versions(session)
    digested = []
    started = time.monotonic()
    for name, found in records.items():
        if found.links:
            digested.append(await _digested(name, found, missing, matcher, versions, now=now))
        # Requests wait no longer than this; a turn after each chain would leave them all the time.
        if time.monotonic() - started > SLICE_SECONDS:
            await asyncio.sleep(0)
            started = time.monotonic()
    if not digested:
        return Round(taken=len(records))
    claim = await _claim(session, digested)
    await save_findings(session, digested, claim.plan, versions, matcher.catalogue_hash)
    await _count(session, claim, digested)
    seen = {one for d in digested for link in d.chain.links if (one := link.signature_id)}
    matched = await match_signatures(session, matcher, among=seen)
    regressed = await follow_life(session, claim, now=now)
    await mark_later(session, _again(digested, claim.before, now))
    opened = [(home, root) for root, home in claim.homes.items() if home in claim.opened]
    return Round(
        taken=len(records),
        chains=len(digested),
        opened=tuple(sorted(opened)),
        regressed=regressed,
        matched=matched,
    )


async def _digested(
    name: str,
    records: Records,
    missing: Missing,
    matcher: Matcher,
    versions: Mapping[str, int],
    *,
    now: datetime,
) -> Digested:
    """What a chain says; a long one is worked out in a thread."""
    own = missing_of(records.links, missing) if missing else {}
    if len(records.links) > LONG:
        chain, seen = await asyncio.to_thread(_read, records, own, matcher, now)
    else:
        chain, seen = _read(records, own, matcher, now)
    # A newer replica may have retired an entry that this one still knows.
    found = tuple(one for one in seen.found if one.known_issue_id in versions)
    rows = tuple(rows_of(name, chain, found))
    return Digested(correlation_id=name, chain=chain, look=seen, found=found, rows=rows)


def _read(
    records: Records, missing: Missing, matcher: Matcher, now: datetime
) -> tuple[Chain, Look]:
    chain = correlate(records.links, missing=missing, capped=records.capped)
    return chain, look(chain.links, matcher.watch, now=now)


def windows_of(chains: Iterable[Sequence[Link]]) -> list[Window]:
    """The numbers that all these chains are concerned with, one window a sender."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for links in chains:
        for link in links:
            if link.instance and link.sequence is not None:
                numbers.setdefault((link.service, link.instance), []).append(link.sequence)
    return [
        Window(service=service, instance=instance, first=min(own) - 1, last=max(own) + 1)
        for (service, instance), own in numbers.items()
    ]


def missing_of(links: list[Link], missing: Missing) -> Missing:
    """Of a whole round's missing numbers those near this chain's own."""
    own: Missing = {}
    for window in windows_of([links]):
        holes = missing.get((window.service, window.instance), [])
        first = bisect_left(holes, window.first, key=lambda hole: hole[1])
        last = bisect_left(holes, window.last + 1, key=lambda hole: hole[0])
        if first < last:
            own[window.service, window.instance] = holes[first:last]
    return own


async def _claim(session: AsyncSession, digested: Sequence[Digested]) -> Claim:
    """Open what must be opened, and lock all incidents that the round will change."""
    await queries.hold_off_moves(session)
    before = await queries.chains_before(session, [one.correlation_id for one in digested])
    plan = plan_round(digested, before)
    opened = await queries.open_incidents(session, _openings(plan.come))
    homes = await queries.homes_of(session, plan.signatures())
    locked = await lock_incidents(session, {*homes.values(), *plan.incidents_left()})
    return Claim(
        plan=plan,
        before=before,
        homes=homes,
        standings={name: standing_of(row) for name, row in locked.items()},
        opened=frozenset(opened),
    )


def _openings(rows: Sequence[Any]) -> list[dict[str, Any]]:
    times: dict[str, list[datetime]] = {}
    for row in rows:
        times.setdefault(row.root_signature_id, []).append(row.root_at)
    return [
        {"root_signature_id": name, "first_seen": min(own), "last_seen": max(own)}
        for name, own in sorted(times.items())
    ]


async def _count(session: AsyncSession, claim: Claim, digested: Sequence[Digested]) -> None:
    plan, homes = claim.plan, claim.homes
    come = [(homes[row.root_signature_id], row) for row in plan.come]
    added = [counted(row, home) for home, row in come]
    changes = deltas(plan.replaced, added)
    by_home: dict[UUID, list[Any]] = {}
    for home, row in come:
        by_home.setdefault(home, []).append(row)
    sets = {home: unions(rows) for home, rows in by_home.items()}
    await queries.extend_incidents(session, changes, sets)
    await queries.add_hours(session, hour_rows(changes))
    await queries.add_findings(session, finding_rows(changes, digested))
    await add_failing(session, changed_counts(claim.before, plan))
    await queries.drop_rows(session, plan.dropped)
    await queries.save_rows(session, come)
    if plan.replaced:
        await forget_untold(session, left_behind(plan.replaced, added))
        await queries.drop_empty(session, plan.incidents_left())


def _again(
    digested: Sequence[Digested], before: Before, now: datetime
) -> Iterator[tuple[str, datetime]]:
    """When chains must be looked at once more."""
    for one in digested:
        if one.look.look_again:
            yield one.correlation_id, one.look.look_again
        elif any(gap.kind is GapKind.MISSING_RECORDS for gap in one.chain.gaps):
            known = before.get(one.correlation_id, {}).values()
            if one.rows and not any(row.incomplete for row in known):
                yield one.correlation_id, now + LOOK_AGAIN
