"""What correlation says of a chain."""

import enum
from datetime import datetime
from uuid import UUID

import msgspec

from app.correlate.link import Link


class Confidence(enum.StrEnum):
    """How sure a root is; never `certain` when records may be missing that would tell more."""

    CERTAIN = "certain"
    LIKELY = "likely"
    UNSURE = "unsure"


class Symptom(msgspec.Struct, frozen=True, kw_only=True):
    """An error that a root explains."""

    link: Link
    reason: str
    """Why it is only passed on, follows, or is a further attempt."""


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """Where a failure began."""

    link: Link
    """The root's own error record; the nearest report of it when that never arrived."""
    service: str
    """Where it began: differs from `link.service` when it was inferred from a report."""
    inferred: bool = False
    confidence: Confidence
    reasons: tuple[str, ...] = ()
    """Sentences for people."""
    symptoms: tuple[Symptom, ...] = ()
    retries: int = 0
    """Further failed attempts of the same call, which told the same."""


class Skew(msgspec.Struct, frozen=True, kw_only=True):
    """A clock that cannot be right, as its calls show. Shown; no time is ever rewritten."""

    service: str
    instance: str | None
    ahead_of: str
    """The calling service whose clock it is measured against."""
    seconds: float
    """Negative when it runs behind."""
    low: float | None
    high: float | None
    """Bounds that the calls set; None where no call sets one."""
    pairs: int


class GapKind(enum.StrEnum):
    """What is missing from a chain."""

    MISSING_RECORDS = "missing_records"
    """Numbered by the sender, never received."""
    UNANSWERED_CALL = "unanswered_call"
    """A call was made; of the callee's end nothing is known."""
    SILENT_SERVICE = "silent_service"
    """A service took part, and nothing tells what it did."""
    NO_END = "no_end"
    """A request with a start and no end."""
    UNKNOWN_CALLER = "unknown_caller"
    """A call was made by a span of which no record arrived."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A place where the chain is not complete."""

    kind: GapKind
    service: str
    instance: str | None = None
    first_sequence: int | None = None
    last_sequence: int | None = None
    records: int = 0
    """How many are missing, when their number is known."""
    after: UUID | None = None
    """The record before the gap."""
    before: UUID | None = None
    """The record after the gap."""
    since: datetime | None = None
    reason: str


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What one service did for one request of its caller: one bar of a waterfall."""

    service: str
    instance: str | None
    span_id: str | None
    parent: int | None
    """Place of the caller in `Chain.calls`."""
    depth: int
    places: tuple[int, ...]
    """Places of its records in `Chain.links`."""
    failing: bool


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """A chain as far as it is known."""

    links: tuple[Link, ...]
    """In causal order."""
    services: tuple[str, ...]
    """In the order they were reached."""
    roots: tuple[Root, ...] = ()
    """Those that made the request fail before those that were handled; then in causal order."""
    skews: tuple[Skew, ...] = ()
    gaps: tuple[Gap, ...] = ()
    calls: tuple[Call, ...] = ()
    """Callers before their callees."""
    evidence_incomplete: bool = False
    """Records are missing that might tell of another root."""
    capped: bool = False
    """The chain is longer than what was read of it."""

    @property
    def root(self) -> Link | None:
        """The record that stands for the first root."""
        return self.roots[0].link if self.roots else None

    @property
    def symptoms(self) -> tuple[str, ...]:
        """Signatures of all other errors, in order, without the first root's."""
        root = self.root
        if root is None:
            return ()
        others = dict.fromkeys(link.signature_id for link in self.links if link.signature_id)
        return tuple(name for name in others if name and name != root.signature_id)
