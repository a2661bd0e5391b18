"""Time of a waterfall: one axis for each run of records, from 0 to 100. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import floor, log10
from typing import Final

import msgspec

from app.correlate.chain import PAUSE
from app.correlate.model import Skew
from app.pages.wording import span
from app.query.chain_views import CallView
from app.query.views import RecordView

Clock = tuple[str, str | None]
DIVISIONS: Final = 4
_NOTHING: Final = timedelta(0)
_SHORTEST: Final = timedelta(milliseconds=1)
_STEPS: Final = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_OWN_SHARE: Final = 0.1


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """From its start, `DIVISIONS` round steps."""

    start: datetime
    length: timedelta

    def at(self, moment: datetime) -> float:
        """Where a moment stands: 0 to 100, what is outside at its end."""
        share = (moment - self.start) / self.length
        return round(min(max(share, 0.0), 1.0) * 100, 2)

    @property
    def ticks(self) -> tuple[timedelta, ...]:
        return tuple(self.length / DIVISIONS * number for number in range(DIVISIONS + 1))

    def label(self, tick: timedelta) -> str:
        """As short as it can be told: steps are round."""
        number, unit = span(tick).split(" ", 1)
        return f"{float(number):g} {unit}" if number.replace(".", "").isdigit() else span(tick)


def axis_of(moments: Sequence[datetime]) -> Axis:
    """The shortest axis with round steps that holds them all; at least a millisecond."""
    start = min(moments)
    return Axis(start=start, length=_round_length(max(*moments, start) - start))


def _round_length(length: timedelta) -> timedelta:
    step = max(length, _SHORTEST).total_seconds() / DIVISIONS
    magnitude = 10.0 ** floor(log10(step))
    # The shortest step of a division is a whole number of microseconds, so no rounding loses one.
    rounded = next(one * magnitude for one in _STEPS if one * magnitude >= step * (1 - 1e-9))
    return timedelta(seconds=rounded * DIVISIONS)


def runs_of(records: Sequence[RecordView]) -> dict[int, int]:
    """The run of each record by its place: a silence of more than an hour begins the next one."""
    by_time = sorted(range(len(records)), key=lambda place: records[place].occurred_at)
    found: dict[int, int] = {}
    run = 0
    for number, place in enumerate(by_time):
        if number:
            before = records[by_time[number - 1]].occurred_at
            run += records[place].occurred_at - before > PAUSE
        found[place] = run
    return found


def shifts_of(calls: Sequence[CallView], skews: Sequence[Skew]) -> Mapping[Clock, timedelta]:
    """How far each clock runs ahead of that of the first caller; clocks that are right are left.

    A skew is told against the clock of the calling service, so those of callers add up.
    """
    told = {(one.service, one.instance): timedelta(seconds=one.seconds) for one in skews}
    found: dict[Clock, timedelta] = {}
    for call in calls if told else ():
        clock = (call.service, call.instance)
        if clock in found:
            continue
        caller = calls[call.parent] if call.parent is not None else None
        above = found.get((caller.service, caller.instance), _NOTHING) if caller else _NOTHING
        found[clock] = above + told.get(clock, _NOTHING)
    return {clock: shift for clock, shift in found.items() if shift}


def wrong_clocks(calls: Sequence[CallView], skews: Sequence[Skew]) -> dict[Clock, Skew]:
    """The clocks that are wrong themselves, not only as seen from a caller whose clock is."""
    shifts = shifts_of(calls, skews)
    found = {(one.service, one.instance): one for one in skews}
    return {
        clock: skew
        for clock, skew in found.items()
        if abs(shifts.get(clock, _NOTHING).total_seconds()) > abs(skew.seconds) * _OWN_SHARE
    }
