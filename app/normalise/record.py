"""The shape of a log record between the rooms: immutable, JSON-ready, safe for PostgreSQL."""

import enum
from datetime import datetime
from uuid import UUID

import msgspec


class Severity(enum.Enum):
    """Ordered from least to worst, like the PostgreSQL ENUM `severity` made from it."""

    TRACE = "TRACE"
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"

    is_error: bool

    def __init__(self, value: str) -> None:
        # An attribute: this is asked of every record, and a property costs ten times as much.
        self.is_error = value in ("ERROR", "CRITICAL")


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a stack, as the error's own text tells it."""

    function: str
    module: str
    """File path, module or class, as reported; never the empty string (`?` when unknown)."""
    line: int | None = None
    source: str | None = None
    """The line of code, when the trace carries it."""


class ReportedException(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the sender says was raised: raw stack text, or frames with the outermost call first."""

    type: str = ""
    message: str = ""
    stacktrace: str | tuple[Frame, ...] = ""


class LogRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of telemetry, as it is stored."""

    correlation_id: str
    occurred_at: datetime
    record_id: UUID
    received_at: datetime
    service: str
    level: Severity
    message: str
    environment: str | None = None
    release: str | None = None
    instance: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    sequence: int | None = None
    exception: ReportedException | None = None
    attributes: str = "{}"
    """A JSON object as text, such as jsonb can hold."""
    fingerprint: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    """What was repaired on the way in, from the closed set `app.normalise.repairs.Repair`."""
    resent_by_identity: bool = False
    """The sender chose the record_id but no time: a resent copy differs in its time only."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be repaired: its place in the request, and why."""

    index: int
    reason: str
