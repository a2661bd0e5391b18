"""The rows of a waterfall. Shapes only."""

from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import msgspec

from app.correlate.model import Gap
from app.pages.chain.axis import Axis
from app.query.views import RecordView


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the axis, 0 to 100."""

    x: float = 0.0
    width: float = 0.0


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a record beside what it says."""

    root: int = 0
    """It stands for the root of this number, counted from 1."""
    reports: bool = False
    """It only reports that root, of whose own service no record tells."""
    follows: str = ""
    """Why it only follows from the root."""
    attempt: int = 0
    """It is a further attempt of the root's call: the second, the third, …"""
    finding: str = ""
    """The known issue that shows in it."""


class RecordRow(msgspec.Struct, frozen=True, kw_only=True):
    kind: ClassVar[str] = "record"
    record: RecordView
    run: int
    depth: int
    at: float
    """Where its moment stands on the axis."""
    since_start: timedelta
    shifted: bool
    """Its clock is wrong, and it is drawn where it belongs."""
    call: Bar
    """From the first to the last record of its call."""
    begins: bool
    """It is the first record of its call."""
    mark: Mark = Mark()

    @property
    def is_quiet(self) -> bool:
        told = self.mark.root or self.mark.follows or self.mark.finding or self.record.signature_id
        return not told and self.record.level.value in {"TRACE", "DEBUG", "INFO"}


class GapRow(msgspec.Struct, frozen=True, kw_only=True):
    kind: ClassVar[str] = "gap"
    gap: Gap
    run: int
    depth: int
    bar: Bar


class InferredRow(msgspec.Struct, frozen=True, kw_only=True):
    """A service of which no record tells, and where it nevertheless began."""

    kind: ClassVar[str] = "inferred"
    service: str
    reason: str
    root: int
    run: int
    depth: int
    bar: Bar


class PauseRow(msgspec.Struct, frozen=True, kw_only=True):
    """The correlation ID was used again."""

    kind: ClassVar[str] = "pause"
    run: int
    length: timedelta
    axis: Axis


class FoldRow(msgspec.Struct, frozen=True, kw_only=True):
    """Quiet records in a row, not drawn."""

    kind: ClassVar[str] = "fold"
    first: UUID
    last: UUID
    records: int
    services: tuple[str, ...]
    run: int
    bar: Bar


class UnreadRow(msgspec.Struct, frozen=True, kw_only=True):
    """Here stand records that were not read: the chain is too long to be read at once."""

    kind: ClassVar[str] = "unread"
    next: str
    """Their cursor."""


Row = RecordRow | GapRow | InferredRow | PauseRow | FoldRow | UnreadRow
