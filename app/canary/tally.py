"""The sums of a run, in memory that does not grow with its length. Pure."""

import math
from collections import Counter
from typing import Any, Final

import msgspec

from app.canary.findings import Finding
from app.canary.verdict import FAULTS, Outcome

FAULTS_SHOWN: Final = 10
_STEP: Final = 1.02
_SMALLEST: Final = 1e-6


class Durations:
    """Seconds in buckets that each are 2 % wider than the one before, as in a DDSketch
    (Masson, Rim, Lee: DDSketch, VLDB 2019): a percentile is at most 1 % off.
    """

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        self._buckets[math.ceil(math.log(max(seconds, _SMALLEST), _STEP))] += 1

    def percentile(self, share: float) -> float | None:
        """Seconds that `share` (0 to 1) of all are not above; None without any."""
        rank = max(1, math.ceil(share * self._buckets.total()))
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return 2 * _STEP**bucket / (_STEP + 1)
        return None


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A chain with something missing, altered or doubled, and how much of it."""

    correlation_id: str
    outcomes: dict[str, int]


class Tally:
    """Adds up findings; tells the report and the exit code."""

    def __init__(self) -> None:
        self.sent = 0
        self.chains = 0
        self.records: Counter[Outcome] = Counter()
        self.acknowledged = Durations()
        self.readable = Durations()
        self.faults: list[Fault] = []

    def begin(self) -> None:
        """One more chain is under way."""
        self.sent += 1

    def add(self, finding: Finding) -> None:
        counts = finding.verdict.counts()
        self.chains += 1
        self.records.update(counts)
        for seconds in finding.acknowledged_after:
            self.acknowledged.add(seconds)
        for seconds in finding.readable_after:
            self.readable.add(seconds)
        if finding.faulty and len(self.faults) < FAULTS_SHOWN:
            named = {outcome.value: counts[outcome] for outcome in Outcome if counts[outcome]}
            self.faults.append(Fault(correlation_id=finding.correlation_id, outcomes=named))

    @property
    def faulty(self) -> bool:
        return not FAULTS.isdisjoint(self.records)

    @property
    def answers(self) -> bool:
        """Whether at least something was acknowledged and read back."""
        return bool(self.records[Outcome.READABLE] + self.records[Outcome.LATE])

    def report(self) -> dict[str, Any]:
        """The sums as JSON-ready values; times in milliseconds."""
        return {
            "chains": self.chains,
            "unjudged_chains": self.sent - self.chains,
            "records": {outcome.value: self.records[outcome] for outcome in Outcome},
            "acknowledged_ms": _milliseconds(self.acknowledged),
            "readable_ms": _milliseconds(self.readable),
            "faults": msgspec.to_builtins(self.faults),
        }


def _milliseconds(durations: Durations) -> dict[str, float | None]:
    found = {"p50": durations.percentile(0.5), "p99": durations.percentile(0.99)}
    return {name: None if s is None else round(s * 1000, 2) for name, s in found.items()}
