"""What a run is asked to do, and what it says of each chain."""

import msgspec

from app.canary.verdict import FAULTS, Outcome, Verdict


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How many chains a second, for how long, and how patient to be."""

    rate: float
    seconds: float | None = None
    """None: until it is stopped."""
    late_after: float = 5.0
    wait: float = 30.0

    @property
    def chains(self) -> int | None:
        return None if self.seconds is None else max(1, round(self.rate * self.seconds))


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one chain."""

    correlation_id: str
    verdict: Verdict
    acknowledged_after: tuple[float, ...]
    """Seconds of each request that was answered with 202."""
    readable_after: tuple[float, ...]
    """Seconds from the 202 of each record that was seen."""

    @property
    def faulty(self) -> bool:
        return not FAULTS.isdisjoint(self.verdict.counts())

    @property
    def well(self) -> bool:
        return self.verdict.counts().keys() == {Outcome.READABLE}
