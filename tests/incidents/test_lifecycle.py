from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.incidents import lifecycle
from app.incidents.lifecycle import (
    ImpossibleChange,
    InvalidSilence,
    NewChain,
    Standing,
    Transition,
    after_chains,
    after_time,
)
from app.incidents.tables import EventKind, IncidentStatus, incidents

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
COUNTS = {"chains", "records", "incomplete", "first_seen", "last_seen", "services", "releases"}

moments = st.integers(-100, 100).map(lambda hours: NOW + hours * HOUR)
releases = st.sampled_from(["1.0", "1.1", "2.0-beta.x", "9c12345", "f00dcafe"])
counts = st.integers(0, 50)
chains_to_come = st.lists(
    st.builds(NewChain, root_at=moments, releases=st.lists(releases, max_size=2).map(tuple)),
    max_size=4,
)


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    """Those that transitions lead to."""
    start = Standing(
        status=IncidentStatus.OPEN,
        chains=draw(counts),
        releases=tuple(draw(st.sets(releases))),
        regressions=draw(st.integers(0, 3)),
    )
    for change in draw(st.lists(transitions, max_size=4)):
        try:
            start = after(start, change(start))
        except (ImpossibleChange, InvalidSilence):
            continue
    return start


def _mute(until: datetime | None, chains: int | None, hourly: int | None) -> Any:
    return lambda standing: lifecycle.mute(
        standing, now=NOW, until=until, chains=chains, above_hourly=hourly
    )


def _resolve(release: str | None, at: datetime) -> Any:
    return lambda standing: lifecycle.resolve(standing, in_release=release, now=at)


Change = Callable[[Standing], Transition]
transitions: st.SearchStrategy[Change] = st.one_of(
    st.sampled_from([lifecycle.acknowledge, lifecycle.reopen, lifecycle.unmute]),
    st.builds(_resolve, st.none() | releases, moments),
    st.builds(_mute, st.none() | moments, st.none() | counts, st.none() | counts),
)


def after(standing: Standing, transition: Transition) -> Standing:
    known = set(Standing.__struct_fields__)
    changes = {name: v for name, v in transition.changes.items() if name in known}
    return msgspec.structs.replace(standing, **changes)


def resolved(*, in_release: str | None = None, seen: tuple[str, ...] = ()) -> Standing:
    return Standing(
        status=IncidentStatus.RESOLVED,
        chains=3,
        resolved_at=NOW,
        resolved_in_release=in_release,
        releases=seen,
    )


def comes(standing: Standing, *chains: NewChain, hourly: int = 1) -> Transition | None:
    total = standing.chains + len(chains)
    return after_chains(standing, chains, chains=total, hourly=hourly, now=NOW + HOUR)


def chain(*names: str, at: datetime = NOW + HOUR) -> NewChain:
    return NewChain(root_at=at, releases=names)


def test_a_chain_after_the_resolution_reopens_the_incident_as_a_regression() -> None:
    transition = comes(resolved(), chain())

    assert transition is not None
    assert transition.kind is EventKind.REGRESSED
    assert transition.changes == {
        "status": IncidentStatus.OPEN,
        "regressions": 1,
        "regressed_at": NOW + HOUR,
        "resolved_at": None,
        "resolved_in_release": None,
    }


def test_a_chain_from_before_the_resolution_reopens_nothing() -> None:
    assert comes(resolved(), chain(at=NOW - HOUR)) is None


@pytest.mark.parametrize(
    ("releases", "seen", "reopens"),
    [
        (("1.1.9",), (), False),
        (("1.2.0",), (), True),
        (("1.10.0",), ("1.10.0",), True),
        (("1.1.9", "1.3"), (), True),
        ((), (), True),
        (("f00dcafe",), ("f00dcafe",), False),
        (("f00dcafe",), ("9c12345",), True),
    ],
)
def test_resolved_in_a_release_only_older_ones_leave_it_resolved(
    releases: tuple[str, ...], seen: tuple[str, ...], reopens: bool
) -> None:
    transition = comes(resolved(in_release="1.2.0", seen=seen), chain(*releases))

    assert (transition is not None) == reopens


def test_the_commit_that_was_to_fix_it_reopens_it_and_those_before_do_not() -> None:
    standing = resolved(in_release="9c12345", seen=("12a4567", "9c12345"))

    assert comes(standing, chain("12a4567")) is None
    assert comes(standing, chain("9c12345")) is not None


def test_a_regression_tells_which_release_it_came_back_in() -> None:
    old, new = chain("1.1"), chain("1.3")

    transition = comes(resolved(in_release="1.2"), old, new)

    assert transition is not None
    assert transition.details == {
        "from": "resolved",
        "to": "open",
        "resolved_at": "2026-11-20T12:00:00Z",
        "resolved_in_release": "1.2",
        "releases": ["1.3"],
        "root_at": "2026-11-20T13:00:00Z",
        "chains": 1,
    }


@pytest.mark.parametrize(
    ("terms", "hourly", "kind"),
    [
        ({"until": NOW + HOUR}, 1, EventKind.UNMUTED),
        ({"until": NOW + 2 * HOUR}, 1, None),
        ({"chains": 2}, 1, EventKind.WORSENED),
        ({"chains": 3}, 1, None),
        ({"above_hourly": 4}, 5, EventKind.WORSENED),
        ({"above_hourly": 4}, 4, None),
        ({"until": NOW + HOUR, "above_hourly": 4}, 5, EventKind.WORSENED),
    ],
)
def test_a_silence_ends_at_its_time_its_number_or_its_rate(
    terms: dict[str, Any], hourly: int, kind: EventKind | None
) -> None:
    loud = Standing(status=IncidentStatus.OPEN, chains=10)
    muted = after(loud, lifecycle.mute(loud, now=NOW, **terms))

    transition = comes(muted, chain(), chain(), hourly=hourly)

    assert (transition.kind if transition else None) == kind


@given(standings(), chains_to_come, counts, counts)
def test_what_chains_did_once_they_do_not_do_again(
    standing: Standing, new: list[NewChain], total: int, hourly: int
) -> None:
    transition = after_chains(standing, new, chains=total, hourly=hourly, now=NOW)
    changed = after(standing, transition) if transition else standing

    assert after_chains(changed, new, chains=total, hourly=hourly, now=NOW) is None


@given(standings(), chains_to_come, counts, counts)
def test_the_order_in_which_chains_come_together_does_not_matter(
    standing: Standing, new: list[NewChain], total: int, hourly: int
) -> None:
    def result(these: list[NewChain]) -> Transition | None:
        return after_chains(standing, these, chains=total, hourly=hourly, now=NOW)

    assert result(new) == result(new[::-1])


@given(standings(), chains_to_come, counts, counts)
def test_more_chains_never_keep_an_incident_quiet(
    standing: Standing, new: list[NewChain], total: int, hourly: int
) -> None:
    one_by_one = [
        after_chains(standing, [chain], chains=total, hourly=hourly, now=NOW) for chain in new
    ]
    together = after_chains(standing, new, chains=total, hourly=hourly, now=NOW)

    assert (together is not None) == any(one is not None for one in one_by_one)


@given(st.none() | releases, st.sets(releases), chains_to_come)
def test_resolved_and_only_older_chains_stays_resolved(
    release: str | None, seen: set[str], new: list[NewChain]
) -> None:
    standing = resolved(in_release=release, seen=tuple(seen))
    older = [one for one in new if one.root_at <= NOW]

    assert after_chains(standing, older, chains=9, hourly=9, now=NOW) is None


@given(standings(), transitions)
def test_a_change_touches_no_count_and_says_from_where_to_where(
    standing: Standing, change: Change
) -> None:
    try:
        transition = change(standing)
    except (ImpossibleChange, InvalidSilence):
        return

    assert not COUNTS & set(transition.changes)
    assert set(transition.changes) <= set(incidents.c.keys())
    assert transition.details["from"] == standing.status.value
    assert transition.details["to"] == transition.changes["status"].value
    assert msgspec.json.decode(msgspec.json.encode(transition.details)) == transition.details


@given(standings())
def test_only_a_resolved_incident_has_a_resolution_and_only_a_muted_one_an_end_of_silence(
    standing: Standing,
) -> None:
    is_resolved = standing.status is IncidentStatus.RESOLVED
    ends = (standing.muted_until, standing.muted_until_chains, standing.muted_above_hourly)

    assert (standing.resolved_at is not None) == is_resolved
    assert standing.resolved_in_release is None or is_resolved
    assert any(end is not None for end in ends) == (standing.status is IncidentStatus.MUTED)


@given(standings())
def test_from_everywhere_an_incident_can_be_opened_again_and_resolved(standing: Standing) -> None:
    ways: list[Change] = [lifecycle.reopen, lifecycle.unmute]
    opened = standing
    for way in ways:
        try:
            opened = after(opened, way(opened))
        except ImpossibleChange:
            continue

    assert opened.status is IncidentStatus.OPEN
    assert lifecycle.resolve(opened, in_release=None, now=NOW).kind is EventKind.RESOLVED


@pytest.mark.parametrize(
    ("status", "change"),
    [
        (IncidentStatus.RESOLVED, lifecycle.acknowledge),
        (IncidentStatus.ACKNOWLEDGED, lifecycle.acknowledge),
        (IncidentStatus.RESOLVED, _resolve(None, NOW)),
        (IncidentStatus.OPEN, lifecycle.reopen),
        (IncidentStatus.MUTED, lifecycle.reopen),
        (IncidentStatus.RESOLVED, _mute(NOW + HOUR, None, None)),
        (IncidentStatus.OPEN, lifecycle.unmute),
    ],
)
def test_an_impossible_change_says_where_the_incident_stands(
    status: IncidentStatus, change: Change
) -> None:
    with pytest.raises(ImpossibleChange, match=status.value):
        change(Standing(status=status, chains=1))


def test_a_merged_incident_says_which_one_to_change() -> None:
    elsewhere = UUID(int=7)
    merged = Standing(status=IncidentStatus.RESOLVED, chains=0, merged_into=elsewhere)

    with pytest.raises(ImpossibleChange, match=str(elsewhere)):
        lifecycle.reopen(merged)


@pytest.mark.parametrize(
    "terms", [{}, {"until": NOW}, {"until": NOW - HOUR}, {"chains": 0}, {"above_hourly": -1}]
)
def test_a_silence_without_an_end_to_come_is_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(InvalidSilence):
        lifecycle.mute(Standing(status=IncidentStatus.OPEN, chains=1), now=NOW, **terms)


@given(standings(), moments)
def test_time_alone_ends_a_silence_until_a_moment_and_nothing_else(
    standing: Standing, now: datetime
) -> None:
    transition = after_time(standing, now=now)

    if (
        standing.status is IncidentStatus.MUTED
        and standing.muted_until
        and standing.muted_until <= now
    ):
        assert transition is not None
        assert transition.kind is EventKind.UNMUTED
        loud = after(standing, transition)
        assert (loud.status, loud.muted_until) == (IncidentStatus.OPEN, None)
        assert after_time(loud, now=now) is None
    else:
        assert transition is None
