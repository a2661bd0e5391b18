"""A chain -> the rows of its waterfall, in causal order. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from itertools import islice
from typing import Final
from uuid import UUID

import msgspec

from app.correlate.model import Gap, GapKind
from app.pages.chain.axis import Axis, Clock, axis_of, runs_of, shifts_of, wrong_clocks
from app.pages.chain.rows import Bar, GapRow, InferredRow, Mark, PauseRow, RecordRow, Row
from app.query.chain_views import CallView, ChainView, RootView
from app.query.views import RecordView

_LEAST_HATCHED: Final = 1.5
_NOTHING: Final = timedelta(0)


class Waterfall(msgspec.Struct, frozen=True, kw_only=True):
    axes: tuple[Axis, ...]
    """One for each run."""
    length: timedelta
    """Of all runs together, without the pauses between them."""
    rows: tuple[Row, ...]


def lay_out(chain: ChainView) -> Waterfall:
    """Every record, gap and inferred service as a row, in the order of the chain's records."""
    ground = _Ground(chain)
    lengths = (end - axis.start for axis, end in zip(ground.axes, ground.ends, strict=True))
    return Waterfall(
        axes=ground.axes, length=sum(lengths, _NOTHING), rows=tuple(_rows(chain, ground))
    )


class _Ground:
    """Where the records of a chain stand."""

    def __init__(self, chain: ChainView) -> None:
        self.records = chain.records
        self.calls = chain.calls
        self.shifts: Mapping[Clock, timedelta] = shifts_of(chain.calls, chain.skews)
        self.wrong = wrong_clocks(chain.calls, chain.skews)
        self.runs = runs_of(chain.records)
        self.call_of = {place: call for call in chain.calls for place in call.records}
        self.moments = [one.occurred_at - self.shift(one) for one in chain.records]
        by_run: dict[int, list[datetime]] = defaultdict(list)
        for place, run in self.runs.items():
            by_run[run].append(self.moments[place])
        self.axes = tuple(axis_of(by_run[run]) for run in sorted(by_run))
        self.ends = [max(by_run[run]) for run in sorted(by_run)]
        self._bars: dict[tuple[int, int], Bar] = {}
        self.places = {one.record_id: place for place, one in enumerate(chain.records)}

    def shift(self, record: RecordView) -> timedelta:
        return self.shifts.get((record.service, record.instance), _NOTHING)

    def axis(self, place: int) -> Axis:
        return self.axes[self.runs[place]]

    def depth(self, place: int) -> int:
        call = self.call_of.get(place)
        return call.depth if call else 0

    def stretch(self, place: int, first: datetime, last: datetime, least: float = 0.0) -> Bar:
        """On the axis of this record; at least so wide, and inside of it."""
        axis = self.axis(place)
        width = round(max(axis.at(last) - axis.at(first), least), 2)
        return Bar(x=round(min(axis.at(first), 100 - width), 2), width=width)

    def bar_of(self, place: int) -> Bar:
        """From the first to the last record of its call, as far as they are in its run."""
        call, run = self.call_of.get(place), self.runs[place]
        places = call.records if call else (place,)
        key = places[0], run
        if key not in self._bars:
            times = [self.moments[one] for one in places if self.runs[one] == run]
            self._bars[key] = self.stretch(place, min(times), max(times))
        return self._bars[key]

    def end_of(self, call: CallView) -> datetime:
        return max(self.moments[place] for place in call.records)


def _rows(chain: ChainView, ground: _Ground) -> Iterator[Row]:
    marks = marks_of(chain)
    before, behind = _gaps(chain)
    inferred = {root.error.record_id: (n, root) for n, root in enumerate(chain.roots, 1)
                if root.inferred}  # fmt: skip
    for place, record in enumerate(chain.records):
        if place and ground.runs[place] != ground.runs[place - 1]:
            yield _pause(ground, place)
        yield from (_gap(ground, place, gap) for gap in before.get(record.record_id, ()))
        yield _record(ground, place, marks.get(record.record_id, Mark()))
        if found := inferred.get(record.record_id):
            yield _inferred(ground, place, *found)
        yield from (_gap(ground, place, gap) for gap in behind.get(record.record_id, ()))


def _record(ground: _Ground, place: int, mark: Mark) -> RecordRow:
    record, moment = ground.records[place], ground.moments[place]
    call = ground.call_of.get(place)
    axis = ground.axis(place)
    return RecordRow(
        record=record,
        run=ground.runs[place],
        depth=ground.depth(place),
        at=axis.at(moment),
        since_start=moment - axis.start,
        shifted=(record.service, record.instance) in ground.wrong,
        call=ground.bar_of(place),
        begins=call is None or call.records[0] == place,
        mark=mark,
    )


def _pause(ground: _Ground, place: int) -> PauseRow:
    run = ground.runs[place]
    axis = ground.axes[run]
    return PauseRow(run=run, length=axis.start - ground.ends[run - 1], axis=axis)


def _gaps(chain: ChainView) -> tuple[dict[UUID, list[Gap]], dict[UUID, list[Gap]]]:
    """What is missing, by the record before which and behind which it is."""
    before: dict[UUID, list[Gap]] = defaultdict(list)
    behind: dict[UUID, list[Gap]] = defaultdict(list)
    for gap in chain.gaps:
        if gap.after is not None:
            behind[gap.after].append(gap)
        elif gap.before is not None:
            before[gap.before].append(gap)
    return before, behind


def _gap(ground: _Ground, place: int, gap: Gap) -> GapRow:
    moment = ground.moments[place]
    first, last = moment, moment
    if gap.kind is GapKind.MISSING_RECORDS:
        other = ground.places.get(gap.before) if gap.before and gap.after else None
        last = ground.moments[other] if other is not None else moment
    elif gap.after is not None:
        last = _end_of_caller(ground, place)
    below = gap.kind is GapKind.UNANSWERED_CALL
    return GapRow(
        gap=gap,
        run=ground.runs[place],
        depth=ground.depth(place) + below,
        bar=ground.stretch(place, min(first, last), max(first, last), _LEAST_HATCHED),
    )


def _end_of_caller(ground: _Ground, place: int) -> datetime:
    call = ground.call_of.get(place)
    if call is None:
        return ground.moments[place]
    above = ground.calls[call.parent] if call.parent is not None else call
    return max(ground.end_of(above), ground.moments[place])


def _inferred(ground: _Ground, place: int, number: int, root: RootView) -> InferredRow:
    call = ground.call_of.get(place)
    moment = ground.moments[place]
    told = [ground.moments[one] for one in call.records if one < place] if call else []
    first = min(told[-1] if told else moment, moment)
    return InferredRow(
        service=root.service,
        reason=root.reasons[0] if root.reasons else "",
        root=number,
        run=ground.runs[place],
        depth=ground.depth(place) + 1,
        bar=ground.stretch(place, first, moment, _LEAST_HATCHED),
    )


def marks_of(chain: ChainView) -> dict[UUID, Mark]:
    """What the roots and findings of a chain say of its records."""
    found = {one.record_id: Mark(finding=one.title) for one in chain.findings}
    for root in chain.roots:
        found |= {one.record_id: Mark(follows=one.reason) for one in root.symptoms}
    roots = {root.error.record_id for root in chain.roots}
    for number, root in enumerate(chain.roots, 1):
        found.update(_attempts(chain, root, found.keys() | roots))
        found[root.error.record_id] = Mark(root=number, reports=root.inferred)
    return found


def _attempts(
    chain: ChainView, root: RootView, others: AbstractSet[UUID]
) -> Iterator[tuple[UUID, Mark]]:
    """What tells the same as the root again: correlation counts those, and lists the others."""
    if not root.retries:
        return
    own = (root.error.service, root.error.signature_id)
    again = (
        one.record_id
        for one in chain.errors
        if (one.service, one.signature_id) == own and one.record_id not in others
    )
    for number, name in enumerate(islice(again, root.retries), 2):
        yield name, Mark(attempt=number)
