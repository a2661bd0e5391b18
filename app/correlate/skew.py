"""How far apart two clocks are, from calls between them. Pure.

A callee begins after its caller began, and ends before its caller ended. Each call so bounds the
difference of the two clocks from both sides, and the tightest bounds of all calls hold
(F. Cristian, Probabilistic clock synchronization, Distributed Computing 3, 1989; bounds over many
messages: A. Duda et al., Estimating global time in distributed systems, ICDCS 1987). Within the hour that a
chain lasts, drift is below what its records can show: a constant is estimated.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from app.correlate.calls import Node, Tie
from app.correlate.facts import is_end
from app.correlate.model import Skew

Clock = tuple[str, str | None]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS: Final = 1_000_000


def microseconds(moment: datetime) -> int:
    """Since the epoch; a time without a zone counts as UTC."""
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * _MICROSECONDS + since.microseconds


class Bounds:
    """By how much the callee's clock may run ahead of the caller's, in microseconds."""

    __slots__ = ("high", "low", "pairs")

    def __init__(self) -> None:
        self.low: int | None = None
        self.high: int | None = None
        self.pairs = 0

    def narrow(self, low: int | None, high: int) -> None:
        self.pairs += 1
        self.high = high if self.high is None else min(self.high, high)
        if low is not None:
            self.low = low if self.low is None else max(self.low, low)

    def settle(self) -> None:
        """A callee may outlive its caller, but it never begins before: then that bound is left."""
        if self.low is not None and self.high is not None and self.low > self.high:
            self.low = None

    @property
    def estimate(self) -> int:
        """Nothing, while the clocks may be right; else the middle of what is possible."""
        if self.high is not None and self.high < 0:
            return self.high if self.low is None else (self.low + self.high) // 2
        if self.low is not None and self.low > 0:
            return self.low if self.high is None else (self.low + self.high) // 2
        return 0


def clock_offsets(nodes: Iterable[Node]) -> tuple[dict[Clock, int], tuple[Skew, ...]]:
    """What to take off each clock's times, and the clocks that cannot be right.

    Callers stand before their callees in `nodes`; clocks that are right have no offset.
    """
    bounds: dict[tuple[Clock, Clock], Bounds] = {}
    for node in nodes:
        caller = node.parent
        if caller is None or node.tie < Tie.FIELDS or caller.clock == node.clock:
            continue
        low = None
        last = caller.links[-1]
        if last.signature_id is not None or is_end(last):
            low = microseconds(node.links[-1].occurred_at) - microseconds(last.occurred_at)
        high = microseconds(node.first) - microseconds(caller.first)
        bounds.setdefault((caller.clock, node.clock), Bounds()).narrow(low, high)
    offsets: dict[Clock, int] = {}
    skews = []
    for (caller_clock, callee_clock), between in bounds.items():
        between.settle()
        if callee_clock in offsets:
            continue
        ahead = between.estimate
        offsets[callee_clock] = offsets.setdefault(caller_clock, 0) + ahead
        if ahead:
            skews.append(_skew(caller_clock, callee_clock, ahead, between))
    return {clock: offset for clock, offset in offsets.items() if offset}, tuple(skews)


def _skew(caller: Clock, callee: Clock, ahead: int, between: Bounds) -> Skew:
    return Skew(
        service=callee[0],
        instance=callee[1],
        ahead_of=caller[0],
        seconds=ahead / _MICROSECONDS,
        low=None if between.low is None else between.low / _MICROSECONDS,
        high=None if between.high is None else between.high / _MICROSECONDS,
        pairs=between.pairs,
    )
