"""What is said of an event: the JSON that a generic target gets. Pure.

The shape follows the recommendation of Standard Webhooks: `type`, `timestamp`, `data`.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal
from urllib.parse import quote
from uuid import UUID

import msgspec
from msgspec import Struct

from app.alerts.model import SUMMARY, Details, Event
from app.incidents.tables import EventKind

TEST: Final = "test"
LONGEST_TITLE: Final = 300
LONGEST_NOTE: Final = 500
LONGEST_FIX: Final = 600
FIX_LINES: Final = 6
MOST_NAMES: Final = 20
_TYPES: Final = {
    EventKind.ISSUE_RATE: "known_issue.rate",
    EventKind.GAP: "sender.gap",
    EventKind.CANARY_LOSS: "canary.loss",
}


class KnownIssueNote(Struct, frozen=True, kw_only=True):
    """The known issue that explains an incident."""

    known_issue_id: str
    title: str
    fix: str = ""
    """Its first lines, Markdown."""
    document: str = ""
    line: int = 0


class Gap(Struct, frozen=True, kw_only=True):
    """Numbers of log records that a sender gave and that never came; both ends included."""

    service: str
    instance: str
    ranges: tuple[tuple[int, int], ...]
    """The first twenty."""
    records: int


class Rate(Struct, frozen=True, kw_only=True):
    """Chains in the last hour, and from how many on it is told."""

    chains: int
    threshold: int


class AlertData(Struct, frozen=True, kw_only=True):
    """All fields are always there; what does not apply is null or empty."""

    kind: str
    """A kind of event; `summary`, which counts others; or `test`."""
    incident_id: UUID | None = None
    title: str = ""
    """What failed, at most 300 characters."""
    root_service: str = ""
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    known_issue: KnownIssueNote | None = None
    """Null: nobody has written about it yet."""
    link: str = ""
    """Empty without `PRODSENTINEL_PUBLIC_URL`."""
    done_by: str = ""
    """Who did it; empty: the service itself."""
    note: str = ""
    release: str = ""
    """In which an incident was said to be resolved."""
    gap: Gap | None = None
    rate: Rate | None = None
    canary: dict[str, int] = {}
    """Records of the canary, by what became of them."""
    counts: dict[str, int] = {}
    """Of a summary: messages it stands for, by kind."""


class Alert(Struct, frozen=True, kw_only=True):
    """The body of a message. A field may be added; a change of meaning raises `version`."""

    version: Literal[1] = 1
    id: str = ""
    """The idempotency key, as in the header `webhook-id`."""
    type: str
    """`incident.<kind>`, `known_issue.rate`, `sender.gap`, `canary.loss`, `alerts.summary`,
    `alerts.test`."""
    timestamp: datetime
    """When it happened, not when this attempt was made."""
    data: AlertData


class IncidentFacts(Struct, frozen=True, kw_only=True):
    """What is stored of an incident, for events that do not say it themselves."""

    title: str
    root_services: tuple[str, ...]
    services: tuple[str, ...]
    environments: tuple[str, ...]
    releases: tuple[str, ...]
    known_issue_id: str | None


class Facts(Struct, frozen=True, kw_only=True):
    """What a batch of events needs to be told."""

    incidents: Mapping[UUID, IncidentFacts]
    issues: Mapping[str, KnownIssueNote]


_NOTHING_STORED: Final = IncidentFacts(
    title="", root_services=(), services=(), environments=(), releases=(), known_issue_id=None
)


def alert_of(event: Event, facts: Facts, *, public_url: str) -> Alert:
    """The message of an event; what it does not say itself is taken from its incident."""
    said = event.details
    stored = facts.incidents.get(event.incident_id or UUID(int=0), _NOTHING_STORED)
    issue = facts.issues.get(said.known_issue_id or stored.known_issue_id or "")
    data = AlertData(
        kind=event.kind.value,
        incident_id=event.incident_id,
        title=(said.title or stored.title)[:LONGEST_TITLE],
        root_service=said.root_service or said.service or next(iter(stored.root_services), ""),
        services=(said.services or stored.services)[:MOST_NAMES],
        environments=(said.environments or stored.environments)[:MOST_NAMES],
        releases=(said.releases or stored.releases)[:MOST_NAMES],
        known_issue=issue,
        link=_link(event, public_url),
        done_by=event.done_by,
        note=(said.note or "")[:LONGEST_NOTE],
        release=said.release or "",
        gap=_gap(said) if event.kind is EventKind.GAP else None,
        rate=_rate(said) if event.kind is EventKind.ISSUE_RATE else None,
        canary=said.outcomes,
    )
    name = _TYPES.get(event.kind, f"incident.{event.kind.value}")
    return Alert(type=name, timestamp=event.happened_at, data=data)


def _gap(said: Details) -> Gap:
    return Gap(
        service=said.service,
        instance=said.instance,
        ranges=said.ranges[:MOST_NAMES],
        records=said.records,
    )


def _rate(said: Details) -> Rate:
    return Rate(chains=said.chains, threshold=said.threshold)


def _link(event: Event, public_url: str) -> str:
    if not public_url:
        return ""
    if event.incident_id:
        return f"{public_url}/api/incidents/{event.incident_id}"
    if event.details.known_issue_id:
        return f"{public_url}/api/known-issues/{quote(event.details.known_issue_id, safe='')}"
    return ""


def summary_of(counts: Mapping[str, int], *, at: datetime, public_url: str) -> Alert:
    """One message for many."""
    total = sum(counts.values())
    data = AlertData(
        kind=SUMMARY,
        title=f"{total:,} more messages of the last minutes, not sent one by one",
        link=f"{public_url}/api/incidents" if public_url else "",
        counts=dict(sorted(counts.items())),
    )
    return Alert(type="alerts.summary", timestamp=at, data=data)


def alert_for_test(name: str, *, at: datetime, public_url: str) -> Alert:
    """What `POST /api/alert-targets/{name}/test` sends."""
    data = AlertData(
        kind=TEST,
        title=f"A test of the target {name}: it arrives",
        link=f"{public_url}/api/incidents" if public_url else "",
    )
    return Alert(type="alerts.test", timestamp=at, data=data)


def with_id(alert: Alert, message_id: str) -> Alert:
    return msgspec.structs.replace(alert, id=message_id)


def first_lines(fix: str) -> str:
    """The beginning of a fix, without blank lines."""
    lines = [line for line in re.split(r"\r?\n", fix) if line.strip()]
    return "\n".join(lines[:FIX_LINES])[:LONGEST_FIX]
