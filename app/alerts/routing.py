"""Which targets hear of which event. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from app.alerts.model import FOLLOW_UPS, OPENINGS, Event, KnownScope, Target
from app.incidents.tables import EventKind


class Told(Struct, frozen=True, kw_only=True):
    """What one target has heard of one incident, or is about to."""

    is_told: bool = False
    """A message of an opening kind was sent to it or waits, in no summary: of this incident, or
    of one that was merged into it."""
    was_opened: bool = False
    last_waiting: str | None = None
    """The kind of its newest message, while that has not been tried yet."""


Heard = Mapping[tuple[UUID, str], Told]
"""By incident and name of the target."""


class Planned(Struct, frozen=True, kw_only=True):
    """A message to be."""

    event: Event
    target: str


def plan(events: Iterable[Event], targets: Sequence[Target], heard: Heard) -> tuple[Planned, ...]:
    """The messages that these events make, in their order.

    An incident is told as opened once. Of events of one kind that follow each other while the
    first message has yet to go out, only that goes out; notes, which say something, all do.
    """
    known = dict(heard)
    planned: list[Planned] = []
    for event in events:
        if event.kind is EventKind.MERGED:
            _inherit(known, event, targets)
        for target in targets:
            place = (event.incident_id, target.name) if event.incident_id else None
            before = known.get(place, Told()) if place else Told()
            if not wants(target, event, is_told=before.is_told) or _is_said(event, before):
                continue
            planned.append(Planned(event=event, target=target.name))
            if place:
                known[place] = _after(before, event)
    return tuple(planned)


def _inherit(known: dict[tuple[UUID, str], Told], merge: Event, targets: Sequence[Target]) -> None:
    """Whoever was told of the part is told of the end of the whole."""
    if merge.incident_id is None or merge.details.into is None:
        return
    for target in targets:
        place = (merge.details.into, target.name)
        if known.get((merge.incident_id, target.name), Told()).is_told:
            known[place] = msgspec.structs.replace(known.get(place, Told()), is_told=True)


def wants(target: Target, event: Event, *, is_told: bool) -> bool:
    """Whether the target's routing lets the event through.

    A filter excludes by what an event says, never by what it leaves out: better an alert too
    many than one lost. So a list that was cut excludes nobody. What happened before a target
    was made is none of its.
    """
    if not target.enabled or event.kind not in target.kinds:
        return False
    if event.happened_at < target.created_at:
        return False
    if event.kind in FOLLOW_UPS:
        return is_told
    details = event.details
    services = {*details.services, details.root_service, details.service} - {""}
    return (
        (
            details.environments_total > len(details.environments)
            or _meets(target.environments, details.environments)
        )
        and (details.services_total > len(details.services) or _meets(target.services, services))
        and _in_scope(target.known, known=details.known)
    )


def _meets(wanted: Iterable[str], found: Iterable[str]) -> bool:
    named, said = set(wanted), set(found)
    return not named or not said or not named.isdisjoint(said)


def _in_scope(scope: KnownScope, *, known: bool | None) -> bool:
    if known is None or scope is KnownScope.BOTH:
        return True
    return known is (scope is KnownScope.KNOWN)


def _is_said(event: Event, before: Told) -> bool:
    if event.incident_id is None:
        return False
    if event.kind is EventKind.OPENED and before.was_opened:
        return True
    return event.kind is not EventKind.NOTED and before.last_waiting == event.kind


def _after(before: Told, event: Event) -> Told:
    return Told(
        is_told=before.is_told or event.kind in OPENINGS,
        was_opened=before.was_opened or event.kind is EventKind.OPENED,
        last_waiting=event.kind.value,
    )
