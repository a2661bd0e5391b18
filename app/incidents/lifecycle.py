"""How an incident goes through its life: what chains do to it, and what people do. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from app.errors import AppError
from app.incidents.releases import is_older
from app.incidents.tables import EventKind, IncidentStatus

_LOUD: Final = {"muted_until": None, "muted_until_chains": None, "muted_above_hourly": None}
_UNRESOLVED: Final = {"resolved_at": None, "resolved_in_release": None}


class ImpossibleChange(AppError):
    """The incident does not stand where this change could begin."""


class InvalidSilence(AppError):
    """A mute needs an end: a moment to come, a number of further chains, or that it gets worse."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where an incident stands: the columns of `incidents` that decide what may follow."""

    status: IncidentStatus
    chains: int
    resolved_at: datetime | None = None
    resolved_in_release: str | None = None
    releases: tuple[str, ...] = ()
    """All that it was seen in so far, without those of the chains that come now."""
    muted_until: datetime | None = None
    muted_until_chains: int | None = None
    """All its chains, not further ones."""
    muted_above_hourly: int | None = None
    regressions: int = 0
    merged_into: UUID | None = None


class NewChain(msgspec.Struct, frozen=True, kw_only=True):
    """A chain that comes to an incident. Of an older release it is when all of its releases are."""

    root_at: datetime
    releases: tuple[str, ...] = ()


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A change of an incident; who stores it adds 1 to `version` and writes the event."""

    kind: EventKind
    changes: dict[str, Any]
    """New values of columns of `incidents`."""
    details: dict[str, Any]
    """What the event says: JSON values only."""


def after_chains(
    standing: Standing, new: Sequence[NewChain], *, chains: int, hourly: int, now: datetime
) -> Transition | None:
    """What becomes of an incident when these chains come to it, none of which it counted before.

    `chains` are all of its chains with these, `hourly` those of the current hour.
    """
    if standing.status is IncidentStatus.RESOLVED:
        return _regression(standing, new, now=now)
    if standing.status is IncidentStatus.MUTED and new:
        return _end_of_silence(standing, chains=chains, hourly=hourly, now=now)
    return None


def _regression(standing: Standing, new: Sequence[NewChain], *, now: datetime) -> Transition | None:
    culprits = [chain for chain in new if _defies(standing, chain)]
    if not culprits:
        return None
    first = min(culprits, key=lambda chain: chain.root_at)
    return _to(
        IncidentStatus.OPEN,
        standing,
        kind=EventKind.REGRESSED,
        changes={
            **_UNRESOLVED,
            "regressions": standing.regressions + 1,
            "regressed_at": now,
        },
        resolved_at=standing.resolved_at,
        resolved_in_release=standing.resolved_in_release,
        releases=sorted({release for chain in culprits for release in chain.releases}),
        root_at=first.root_at,
        chains=len(culprits),
    )


def _defies(standing: Standing, chain: NewChain) -> bool:
    """Whether a chain shows that a resolved incident is not resolved."""
    # The decision: what failed before the resolution, or in releases that all are older than the
    # one that fixes it, says nothing against the fix. That very release does, and so do a newer
    # one, one that nobody had seen, and a chain that names none: rather a word too many.
    if standing.resolved_at and chain.root_at <= standing.resolved_at:
        return False
    fixed = standing.resolved_in_release
    if not fixed or not chain.releases:
        return True
    return not all(is_older(one, fixed, seen=standing.releases) for one in chain.releases)


def _end_of_silence(
    standing: Standing, *, chains: int, hourly: int, now: datetime
) -> Transition | None:
    most, loudest = standing.muted_until_chains, standing.muted_above_hourly
    worse = (most is not None and chains >= most) or (loudest is not None and hourly > loudest)
    over = standing.muted_until is not None and now >= standing.muted_until
    if not worse and not over:
        return None
    return _to(
        IncidentStatus.OPEN,
        standing,
        kind=EventKind.WORSENED if worse else EventKind.UNMUTED,
        changes=_LOUD,
        chains=chains,
        hourly=hourly,
        until=standing.muted_until,
        until_chains=most,
        above_hourly=loudest,
    )


def after_time(standing: Standing, *, now: datetime) -> Transition | None:
    """What becomes of an incident to which no chain comes: a silence until a moment ends."""
    until = standing.muted_until
    if standing.status is not IncidentStatus.MUTED or until is None or now < until:
        return None
    return _to(IncidentStatus.OPEN, standing, kind=EventKind.UNMUTED, changes=_LOUD, until=until)


def acknowledge(standing: Standing) -> Transition:
    """Somebody has it in hand. Ends a silence."""
    _refuse(standing, IncidentStatus.ACKNOWLEDGED, IncidentStatus.RESOLVED)
    return _to(IncidentStatus.ACKNOWLEDGED, standing, kind=EventKind.ACKNOWLEDGED, changes=_LOUD)


def resolve(standing: Standing, *, in_release: str | None, now: datetime) -> Transition:
    """It is over: from now on, or from a release on."""
    _refuse(standing, IncidentStatus.RESOLVED)
    return _to(
        IncidentStatus.RESOLVED,
        standing,
        kind=EventKind.RESOLVED,
        changes={**_LOUD, "resolved_at": now, "resolved_in_release": in_release},
        release=in_release,
    )


def reopen(standing: Standing) -> Transition:
    """It is not over, or nobody has it in hand any more. No regression: a person says so."""
    _refuse(standing, IncidentStatus.OPEN, IncidentStatus.MUTED)
    return _to(
        IncidentStatus.OPEN,
        standing,
        kind=EventKind.REOPENED,
        changes=_UNRESOLVED,
        resolved_in_release=standing.resolved_in_release,
    )


def mute(
    standing: Standing,
    *,
    now: datetime,
    until: datetime | None = None,
    chains: int | None = None,
    above_hourly: int | None = None,
) -> Transition:
    """No alerts until a moment, `chains` further chains, or more than so many in an hour;
    whatever comes first. A muted one gets these terms instead of its own.

    Raises `InvalidSilence` when none of them is given, or the moment is past.
    """
    _refuse(standing, IncidentStatus.RESOLVED)
    if until is None and chains is None and above_hourly is None:
        raise InvalidSilence
    if until is not None and _is_past(until, now):
        raise InvalidSilence(f"It cannot be muted until {until.isoformat()}: that is past.")
    if (chains is not None and chains < 1) or (above_hourly is not None and above_hourly < 0):
        raise InvalidSilence("It can be muted for one further chain or more.")
    ends = {
        "muted_until": until,
        "muted_until_chains": None if chains is None else standing.chains + chains,
        "muted_above_hourly": above_hourly,
    }
    return _to(
        IncidentStatus.MUTED,
        standing,
        kind=EventKind.MUTED,
        changes=ends,
        until=until,
        until_chains=ends["muted_until_chains"],
        above_hourly=above_hourly,
    )


def _is_past(moment: datetime, now: datetime) -> bool:
    try:
        return moment.astimezone(UTC) <= now
    except OverflowError as error:
        # The last hours of the year 9999, west of Greenwich.
        raise InvalidSilence from error


def unmute(standing: Standing) -> Transition:
    """Alerts again."""
    refuse_merged(standing)
    if standing.status is not IncidentStatus.MUTED:
        raise ImpossibleChange(
            f"Only a muted incident can be unmuted; this one is {standing.status.value}."
        )
    return _to(IncidentStatus.OPEN, standing, kind=EventKind.UNMUTED, changes=_LOUD)


def merge(standing: Standing, into: UUID, *, now: datetime) -> Transition:
    """It becomes part of another one, and stands resolved to be read."""
    if standing.merged_into:
        raise ImpossibleChange(f"One of them was merged into {standing.merged_into} already.")
    return _to(
        IncidentStatus.RESOLVED,
        standing,
        kind=EventKind.MERGED,
        changes={
            **_LOUD,
            "resolved_at": standing.resolved_at or now,
            "resolved_in_release": standing.resolved_in_release,
            "merged_into": into,
        },
        into=into,
    )


def refuse_merged(standing: Standing) -> None:
    """A merged incident is read only. Raises `ImpossibleChange`."""
    if standing.merged_into:
        raise ImpossibleChange(
            f"This incident was merged into {standing.merged_into}; change that one."
        )


def _refuse(standing: Standing, *statuses: IncidentStatus) -> None:
    refuse_merged(standing)
    if standing.status in statuses:
        raise ImpossibleChange(
            f"This incident is {standing.status.value}; it cannot be changed this way from there."
        )


def _to(
    status: IncidentStatus,
    standing: Standing,
    *,
    kind: EventKind,
    changes: dict[str, Any],
    **details: Any,
) -> Transition:
    told = {"from": standing.status, "to": status, **details}
    return Transition(
        kind=kind,
        changes={"status": status, **changes},
        details=msgspec.to_builtins({n: v for n, v in told.items() if v is not None}),
    )
