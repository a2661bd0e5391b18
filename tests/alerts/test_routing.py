"""Who hears of what."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.alerts.model import (
    FOLLOW_UPS,
    OPENINGS,
    USUAL_KINDS,
    WITHOUT_INCIDENT,
    Details,
    Event,
    Hidden,
    KnownScope,
    Target,
    TargetKind,
)
from app.alerts.routing import Told, plan, wants
from app.incidents.tables import EventKind

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)
INCIDENT = UUID(int=7)


def target(**changes: Any) -> Target:
    usual = Target(
        name="team", kind=TargetKind.GENERIC, url=Hidden("http://x"), secret=Hidden("s"),
        kinds=USUAL_KINDS, environments=(), services=(), known=KnownScope.BOTH, quiet=None,
        urgent=(), enabled=True, disabled_reason="", per_minute=10, version=1,
        created_at=AT - timedelta(days=1), changed_at=AT,
    )  # fmt: skip
    return msgspec.structs.replace(usual, **changes)


def event(
    kind: EventKind = EventKind.OPENED, incident_id: UUID | None = INCIDENT, **said: Any
) -> Event:
    named = None if kind in WITHOUT_INCIDENT else incident_id
    return Event(
        event_id=uuid4(), kind=kind, happened_at=AT, incident_id=named, details=Details(**said)
    )


def kinds_told(events: list[Event], *, all_kinds: bool = False, told: Told | None = None) -> str:
    one = target(kinds=tuple(EventKind)) if all_kinds else target()
    planned = plan(events, [one], {(INCIDENT, "team"): told} if told else {})
    return " ".join(one.event.kind.value for one in planned)


@pytest.mark.parametrize(
    ("changes", "said", "wanted"),
    [
        ({}, {}, True),
        ({"enabled": False}, {}, False),
        ({"kinds": (EventKind.RESOLVED,)}, {}, False),
        ({"created_at": AT + timedelta(seconds=1)}, {}, False),
        ({"environments": ("production",)}, {"environments": ("production", "test")}, True),
        ({"environments": ("production",)}, {"environments": ("test",)}, False),
        ({"environments": ("production",)}, {}, True),
        ({"services": ("payment",)}, {"services": ("order",), "root_service": "payment"}, True),
        ({"services": ("payment",)}, {"services": ("order",)}, False),
        ({"services": ("payment",)}, {"services": ("order",), "services_total": 1}, False),
        ({"services": ("payment",)}, {"services": ("order",), "services_total": 2}, True),
        ({"environments": ("a",)}, {"environments": ("b",), "environments_total": 1}, False),
        ({"environments": ("a",)}, {"environments": ("b",), "environments_total": 9}, True),
        ({"known": KnownScope.KNOWN}, {"known": True}, True),
        ({"known": KnownScope.KNOWN}, {"known": False}, False),
        ({"known": KnownScope.UNKNOWN}, {"known": False}, True),
        ({"known": KnownScope.UNKNOWN}, {"known": True}, False),
        ({"known": KnownScope.KNOWN}, {}, True),
    ],
)
def test_a_filter_excludes_by_what_an_event_says(
    changes: dict[str, Any], said: dict[str, Any], wanted: bool
) -> None:
    assert wants(target(**changes), event(**said), is_told=False) is wanted


def test_a_gap_is_filtered_by_its_service() -> None:
    gap = event(EventKind.GAP, service="payment")

    assert wants(target(services=("payment",)), gap, is_told=False)
    assert not wants(target(services=("order",)), gap, is_told=False)


def test_the_end_is_told_to_those_who_were_told_of_the_beginning() -> None:
    assert kinds_told([event(EventKind.RESOLVED)]) == ""
    assert kinds_told([event(EventKind.RESOLVED)], told=Told(is_told=True)) == "resolved"
    assert kinds_told([event(), event(EventKind.RESOLVED)]) == "opened resolved"


def test_the_end_of_the_whole_is_told_to_those_who_were_told_of_a_part() -> None:
    part, middle = UUID(int=8), UUID(int=9)
    merges = [
        event(EventKind.MERGED, part, into=middle),
        event(EventKind.MERGED, middle, into=INCIDENT),
    ]

    told = kinds_told([event(incident_id=part), *merges, event(EventKind.RESOLVED)])

    assert told == "opened resolved"
    assert kinds_told([*merges, event(EventKind.RESOLVED)]) == ""
    assert kinds_told([event(incident_id=part), *merges, event()]) == "opened opened"


def test_a_thousand_events_of_one_kind_are_one_message() -> None:
    assert kinds_told([event() for _ in range(1000)]) == "opened"
    assert kinds_told([event(EventKind.REGRESSED) for _ in range(1000)]) == "regressed"


def test_an_incident_is_opened_once_and_regresses_each_time() -> None:
    again = [event(EventKind.REGRESSED), event(EventKind.RESOLVED)] * 2

    told = kinds_told([event(), event(EventKind.RESOLVED), *again, event()])

    assert told == "opened resolved regressed resolved regressed resolved"


def test_what_went_out_already_may_be_said_again() -> None:
    waits = Told(is_told=True, last_waiting="regressed")

    assert kinds_told([event(EventKind.REGRESSED)], told=waits) == ""
    assert kinds_told([event(EventKind.REGRESSED)], told=Told(is_told=True)) == "regressed"
    assert kinds_told([event()], told=Told(is_told=True, was_opened=True)) == ""


def test_each_note_is_told_and_each_gap() -> None:
    notes = [event(), event(EventKind.NOTED), event(EventKind.NOTED)]

    assert kinds_told(notes, all_kinds=True) == "opened noted noted"
    assert kinds_told([event(EventKind.GAP), event(EventKind.GAP)]) == "gap gap"


def test_every_kind_is_an_opening_a_follow_up_or_of_no_incident() -> None:
    assert frozenset(EventKind) == OPENINGS | FOLLOW_UPS | WITHOUT_INCIDENT
    assert not OPENINGS & FOLLOW_UPS


_many = st.lists(st.tuples(st.sampled_from(EventKind), st.integers(0, 2)), max_size=40)


@given(_many, st.integers(0, 40))
def test_where_a_batch_ends_changes_nothing(drawn: list[tuple[EventKind, int]], cut: int) -> None:
    events = [event(kind, UUID(int=number)) for kind, number in drawn]
    targets = [target(kinds=tuple(EventKind)), target(name="other")]
    whole = plan(events, targets, {})
    first = plan(events[:cut], targets, {})
    heard: dict[tuple[UUID, str], Told] = {}
    for one in first:
        if one.event.incident_id:
            place = (one.event.incident_id, one.target)
            before = heard.get(place, Told())
            heard[place] = Told(
                is_told=before.is_told or one.event.kind in OPENINGS,
                was_opened=before.was_opened or one.event.kind is EventKind.OPENED,
                last_waiting=one.event.kind.value,
            )

    assert (*first, *plan(events[cut:], targets, heard)) == whole


@given(_many)
def test_a_target_hears_of_an_end_only_after_a_beginning(
    drawn: list[tuple[EventKind, int]],
) -> None:
    events = [event(kind, UUID(int=number)) for kind, number in drawn]
    begun: set[UUID | None] = set()

    for one in plan(events, [target(kinds=tuple(EventKind))], {}):
        if one.event.kind in OPENINGS:
            begun.add(one.event.incident_id)
        assert one.event.kind not in FOLLOW_UPS or one.event.incident_id in begun
