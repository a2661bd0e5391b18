"""What an incident is called, and what happened to it, in words. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final

from app.incidents.tables import EventKind, IncidentStatus
from app.pages.wording import spoken
from app.query.incident_views import EventView, IncidentView

_PLAIN: Final[Mapping[EventKind, str]] = {
    EventKind.OPENED: "opened",
    EventKind.REGRESSED: "came back after it was resolved",
    EventKind.WORSENED: "got worse, so it is no longer muted",
    EventKind.UNMUTED: "is no longer muted",
    EventKind.ACKNOWLEDGED: "acknowledged it",
    EventKind.RESOLVED: "resolved it",
    EventKind.REOPENED: "reopened it",
    EventKind.MUTED: "muted it",
    EventKind.MERGED: "merged",
    EventKind.SPLIT: "split",
    EventKind.NOTED: "noted",
    EventKind.ISSUE_RATE: "shows more often than its threshold",
    EventKind.GAP: "records are missing",
    EventKind.CANARY_LOSS: "records were lost",
}
_POSSIBLE: Final[Mapping[IncidentStatus, frozenset[str]]] = {
    IncidentStatus.OPEN: frozenset({"acknowledge", "resolve", "mute"}),
    IncidentStatus.ACKNOWLEDGED: frozenset({"resolve", "mute", "reopen"}),
    IncidentStatus.MUTED: frozenset({"acknowledge", "resolve", "mute", "unmute"}),
    IncidentStatus.RESOLVED: frozenset({"reopen"}),
}
_WORD: Final = re.compile(r"\w")
_SEPARATOR: Final = re.compile(r"[./\\]|::")
LONGEST_TITLE: Final = 140
_ALWAYS: Final = frozenset({"merge", "split"})


def possible_changes(status: IncidentStatus) -> frozenset[str]:
    """What a person can do with an incident that stands so."""
    open_only = frozenset() if status is IncidentStatus.RESOLVED else _ALWAYS
    return _POSSIBLE[status] | open_only


def spoken_title(incident: IncidentView) -> str:
    """What a person would say: the words of the document, else those of the error."""
    if incident.match:
        return incident.match.title
    said = spoken(incident.signature.message)
    if not _WORD.search(said):
        return incident.title
    kind = _SEPARATOR.split(incident.signature.exception_type)[-1].strip()
    named = said if not kind or said.startswith(kind) else f"{kind}: {said}"
    place = f" ({incident.root_services[0]})" if len(incident.root_services) == 1 else ""
    return f"{_shortened(named)}{place}"


def _shortened(text: str) -> str:
    """Whole words, so many as fit into a heading; of one that is longer its beginning."""
    if len(text) <= LONGEST_TITLE:
        return text
    words, _, last = text[:LONGEST_TITLE].rpartition(" ")
    return f"{words if len(words) > LONGEST_TITLE // 2 else f'{words} {last}'.strip()}…"


def told(event: EventView) -> str:
    """What happened, as the words behind who did it."""
    extra = _extra(event.kind, event.details)
    plain = _PLAIN[event.kind]
    if event.kind is EventKind.UNMUTED and event.done_by:
        plain = "unmuted it"
    return f"{plain} {extra}".strip()


def _extra(kind: EventKind, details: Mapping[str, Any]) -> str:
    if kind is EventKind.RESOLVED and details.get("release"):
        return f"in release {details['release']}"
    if kind is EventKind.MUTED:
        return _silence(details)
    if kind is EventKind.REGRESSED and details.get("releases"):
        return f"in {', '.join(map(str, details['releases']))}"
    if kind is EventKind.MERGED:
        others = details.get("incident_ids") or []
        return f"{len(others)} into this one" if others else "it into another one"
    if kind is EventKind.SPLIT:
        return "this off another one" if details.get("out_of") else "a part of it off"
    return ""


def _silence(details: Mapping[str, Any]) -> str:
    ends = []
    if details.get("until"):
        ends.append(f"until {str(details['until'])[:16].replace('T', ' ')} UTC")
    if details.get("until_chains"):
        ends.append(f"until {details['until_chains']} chains in all")
    if details.get("above_hourly") is not None:
        ends.append(f"until more than {details['above_hourly']} chains in an hour")
    return " or ".join(ends)
