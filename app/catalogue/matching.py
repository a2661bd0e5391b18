"""Signatures of the database held against the catalogue, and the catalogue against them."""

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
    session: AsyncSession,
    matcher: Matcher,
    *,
    among: Iterable[str] | None = None,
    shortcut: "Shortcut | None" = None,
) -> Tally:
    """Match signatures this catalogue has not seen: all `among` these, or the next 500 of all.

    A `shortcut` spares those that a change of the catalogue cannot concern.
    """
    limit = AT_ONCE if among is None else None
    found = await queries.unmatched_signatures(
        session, catalogue_hash=matcher.catalogue_hash, limit=limit, among=among
    )
    if not found:
        return Tally()
    spared = [row.signature_id for row in found if shortcut and not shortcut.concerns(row)]
    await queries.confirm_matches(session, spared, catalogue_hash=matcher.catalogue_hash)
    left = [row for row in found if row.signature_id not in set(spared)]
    rejected = await queries.rejected_pairs(session, [row.signature_id for row in left])
    best = {
        row.signature_id: best_match(matcher, row.signature_id, row.sample, rejected)
        for row in left
    }
    versions = await queries.current_versions(session)
    # A newer replica may have retired an entry that this one still knows.
    known = {s: m if m and m.known_issue_id in versions else None for s, m in best.items()}
    shown = [row.signature_id for row in left if _still_shown(row, known, versions)]
    await queries.confirm_matches(session, shown, catalogue_hash=matcher.catalogue_hash)
    fresh = {s: m for s, m in known.items() if s not in set(shown)}
    await queries.save_matches(
        session, fresh, catalogue_hash=matcher.catalogue_hash, versions=versions
    )
    tiers = Counter(m.tier.value if m else "none" for m in fresh.values())
    same = len(spared) + len(shown)
    return Tally(tiers={**tiers, **({"unchanged": same} if same else {})})


def _still_shown(
    row: queries.Unmatched, known: dict[str, Match | None], versions: dict[str, int]
) -> bool:
    """A match keeps pointing to the version that people saw.

    So it does when the entry has a newer version that still holds, and when it was retired and
    nothing else explains the error.
    """
    now = known[row.signature_id]
    if now:
        return now.known_issue_id == row.known_issue_id
    return row.known_issue_id is not None and row.known_issue_id not in versions


class Shortcut:
    """After a change: the changed entries alone, to see quickly whom they concern."""

    def __init__(self, before: str, changed: Matcher, gone: frozenset[str]) -> None:
        self._before = before
        self._matcher = changed
        self._names = gone | changed.issues.keys()

    def concerns(self, row: queries.Unmatched) -> bool:
        """Whether the change may alter what this signature is matched to."""
        if row.catalogue_hash != self._before or row.known_issue_id in self._names:
            return True
        return bool(self._matcher.match(subject_of_sample(row.sample)))


def best_match(
    matcher: Matcher, signature_id: str, sample: dict[str, Any], rejected: set[tuple[str, str]]
) -> Match | None:
    """The first match of a signature that no person has rejected."""
    found = matcher.match(subject_of_sample(sample))
    return next((m for m in found if (signature_id, m.known_issue_id) not in rejected), None)


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


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What an import would change for one entry, over the signatures stored now."""

    known_issue_id: str
    gains: int = 0
    """Signatures it would explain and does not explain now."""
    loses: int = 0
    takes_over: dict[str, int] = {}
    """Of those it gains, how many another entry explains now."""


async def preview_change(
    session: AsyncSession, before: Matcher, after: Matcher
) -> tuple[Preview, ...]:
    """Hold both catalogues against every stored signature; entries with no change are left out."""
    gains: Counter[str] = Counter()
    loses: Counter[str] = Counter()
    takes: dict[str, Counter[str]] = {}
    last = ""
    while rows := await queries.samples_after(session, last, limit=AT_ONCE):
        last = rows[-1][0]
        rejected = await queries.rejected_pairs(session, [name for name, _, _ in rows])
        for name, sample, _ in rows:
            old = best_match(before, name, sample, rejected)
            new = best_match(after, name, sample, rejected)
            was, becomes = (m.known_issue_id if m else None for m in (old, new))
            if was == becomes:
                continue
            if was:
                loses[was] += 1
            if becomes:
                gains[becomes] += 1
            if was and becomes:
                takes.setdefault(becomes, Counter())[was] += 1
    return tuple(
        Preview(
            known_issue_id=name,
            gains=gains[name],
            loses=loses[name],
            takes_over=dict(takes.get(name, {})),
        )
        for name in sorted(gains.keys() | loses.keys())
    )
