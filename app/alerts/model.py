"""The shapes of the alerts: an event, a target, its quiet hours, and a delivery."""

import enum
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from msgspec import Meta, Struct

from app.incidents.tables import EventKind

OPENINGS: Final = frozenset({EventKind.OPENED, EventKind.REGRESSED, EventKind.WORSENED})
"""What tells a target of an incident."""
WITHOUT_INCIDENT: Final = frozenset({EventKind.ISSUE_RATE, EventKind.GAP, EventKind.CANARY_LOSS})
FOLLOW_UPS: Final = frozenset(EventKind) - OPENINGS - WITHOUT_INCIDENT
"""What only those hear who were told of the incident."""
USUAL_KINDS: Final = (
    EventKind.OPENED,
    EventKind.REGRESSED,
    EventKind.WORSENED,
    EventKind.RESOLVED,
    EventKind.ISSUE_RATE,
    EventKind.GAP,
    EventKind.CANARY_LOSS,
)
SUMMARY: Final = "summary"
"""The kind of a delivery that stands for many."""

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""A local time of day, `HH:MM`."""


class TargetKind(enum.StrEnum):
    """What a message looks like."""

    GENERIC = "generic"
    SLACK = "slack"


class KnownScope(enum.StrEnum):
    """Which incidents: those with a known issue, those without, or both."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    BOTH = "both"


class DeliveryState(enum.StrEnum):
    """What became of a message."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Tried to the end, or refused for good; a person may have it tried again."""
    COLLAPSED = "collapsed"
    """Counted in a summary, and not sent by itself."""


class Hidden:
    """A text that no log, no traceback with its variables and no JSON encoder shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Hidden()"


class QuietHours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From `begins` to `ends`, local time of `zone` (IANA), beginning on each of `weekdays`.

    An end that is not after the beginning is on the next day; the same time is a whole day.
    """

    begins: Clock
    ends: Clock
    zone: Annotated[str, Meta(min_length=1, max_length=100)]
    weekdays: Annotated[tuple[Weekday, ...], Meta(min_length=1, max_length=7)] = WEEKDAYS


class Details(Struct, frozen=True, kw_only=True):
    """What an event says of itself; what its kind does not say is empty."""

    known: bool | None = None
    known_issue_id: str | None = None
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    services_total: int = 0
    """More than there are in `services`: the list was cut."""
    environments_total: int = 0
    root_service: str = ""
    title: str = ""
    root_signature_id: str = ""
    service: str = ""
    instance: str = ""
    ranges: tuple[tuple[int, int], ...] = ()
    records: int = 0
    note: str | None = None
    release: str | None = None
    chains: int = 0
    threshold: int = 0
    outcomes: dict[str, int] = {}
    into: UUID | None = None
    """Of a merge, in the history of what was merged: the incident that it is part of now."""


class Event(Struct, frozen=True, kw_only=True):
    """A row of `events`."""

    event_id: UUID
    kind: EventKind
    happened_at: datetime
    incident_id: UUID | None = None
    done_by: str = ""
    details: Details = Details()


class Target(Struct, frozen=True, kw_only=True):
    """Where messages go, and which."""

    name: str
    kind: TargetKind
    url: Hidden
    secret: Hidden
    kinds: tuple[EventKind, ...]
    environments: tuple[str, ...]
    services: tuple[str, ...]
    known: KnownScope
    quiet: QuietHours | None
    urgent: tuple[EventKind, ...]
    enabled: bool
    disabled_reason: str
    per_minute: int
    version: int
    created_at: datetime
    changed_at: datetime


class Claimed(Struct, frozen=True, kw_only=True):
    """A delivery that this process is to send now, and nobody else before the lease ends."""

    delivery_id: UUID
    payload: dict[str, Any]
    attempts: int
    """This one included."""
    claimed_at: datetime


class DeliveryView(Struct, frozen=True, kw_only=True):
    """A message on its way, or what became of it."""

    delivery_id: UUID
    """The idempotency key, `webhook-id` of every attempt."""
    target: str
    kind: str
    incident_id: UUID | None
    event_id: UUID | None
    state: DeliveryState
    attempts: int
    due_at: datetime
    status: int | None
    """HTTP status of the last answer."""
    error: str
    """Why the last attempt failed."""
    collapsed_into: UUID | None
    created_at: datetime
    ended_at: datetime | None
