"""The shapes of the catalogue's pages."""

import enum
from datetime import datetime
from uuid import UUID

import msgspec

from app.catalogue.model import ChainRule, Clause, KnownIssue, Tier, Verdict
from app.query.views import KnownIssueView


class EntryState(enum.StrEnum):
    """Which entries are listed."""

    CURRENT = "current"
    SEEN = "seen"
    UNSEEN = "unseen"
    QUARANTINED = "quarantined"
    RETIRED = "retired"


class EntryOrder(enum.StrEnum):
    """In which order."""

    CHAINS = "chains"
    LAST_SEEN = "last_seen"
    PRECISION = "precision"
    TITLE = "title"
    IMPORTED = "imported"


class EntryFilter(msgspec.Struct, frozen=True, kw_only=True):
    words: str = ""
    """In id, title, tags or document; all of them."""
    document: str = ""
    state: EntryState = EntryState.CURRENT
    order: EntryOrder = EntryOrder.CHAINS


class EntryLine(msgspec.Struct, frozen=True, kw_only=True):
    """An entry with how it fares."""

    known_issue_id: str
    version: int
    title: str
    severity: str | None
    document: str
    first_line: int
    collection: str
    imported_at: datetime
    retired_at: datetime | None
    signatures: int
    chains: int
    """Of the incidents that it explains, by their root or by its chain rules."""
    last_seen: datetime | None
    confirmed: int
    rejected: int
    precision: float | None
    """Confirmed of judged."""
    quarantined: bool


class EntryTotals(msgspec.Struct, frozen=True, kw_only=True):
    current: int
    seen: int
    quarantined: int
    retired: int


class EntryVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version as it was imported."""

    version: int
    title: str
    severity: str | None
    symptoms: str
    causes: str
    fix: str
    lesson: str
    caution: str
    content_hash: str
    imported_at: datetime
    retired_at: datetime | None
    entry: KnownIssue | None


class ImportedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A version that an import stored or retired."""

    known_issue_id: str
    version: int
    title: str
    document: str
    first_line: int
    retired_at: datetime | None


class ExplainedError(msgspec.Struct, frozen=True, kw_only=True):
    """A signature that the entry explains."""

    signature_id: str
    title: str
    tier: Tier
    score: float
    records: int
    last_seen: datetime
    incident_id: UUID | None
    """Whose root it is."""
    verdict: Verdict | None


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    signature_id: str
    title: str
    verdict: Verdict
    decided_by: str
    note: str
    decided_at: datetime


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """All that a page shows of an entry."""

    shown: KnownIssueView
    versions: tuple[EntryVersion, ...]
    """Newest first."""
    explained: tuple[ExplainedError, ...]
    judged: tuple[Judged, ...]
    errors_by_day: tuple[int, ...]
    """In the 200 incidents that it explains and that were last seen; the oldest day first."""

    @property
    def newest(self) -> EntryVersion:
        return self.versions[0]

    @property
    def rules(self) -> Clause | None:
        return self.newest.entry.rules if self.newest.entry else None

    @property
    def chain_rules(self) -> tuple[ChainRule, ...]:
        return self.newest.entry.chain_rules if self.newest.entry else ()
