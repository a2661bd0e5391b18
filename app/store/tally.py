"""The account of one request: what was read is accepted, refused with a reason, or shed."""

from typing import Final

import structlog

from app import metrics
from app.normalise.record import Refused
from app.normalise.repairs import REFUSAL_HINTS, Refusal
from app.receive.contract import Receipt, Rejection

log = structlog.get_logger(__name__)

MOST_LISTED: Final = 1_000


class Tally:
    """Counts the records of one request; `read` is the sum of all the others in the end."""

    def __init__(self) -> None:
        self.read = 0
        self.accepted = 0
        self.shed = 0
        self._listed: list[Refused] = []
        self._refused: dict[str, int] = {}

    def refuse(self, refused: list[Refused]) -> None:
        if refused:
            self._listed += refused[: MOST_LISTED - len(self._listed)]
            for one in refused:
                self._refused[one.reason] = self._refused.get(one.reason, 0) + 1

    def _all_refused(self) -> int:
        return sum(self._refused.values())

    def publish(self) -> None:
        """Once, at the end: what has no other fate by then was given up with its request."""
        given_up = self.read - self.accepted - self.shed - self._all_refused()
        if given_up:
            self._refused[Refusal.REQUEST_FAILED] = given_up
        metrics.RECORDS_RECEIVED.inc(self.read)
        metrics.RECORDS_ACCEPTED.inc(self.accepted)
        if self.shed:
            metrics.RECORDS_SHED.inc(self.shed)
        for reason, count in self._refused.items():
            metrics.RECORDS_REFUSED.labels(reason=reason).inc(count)
        if self._refused:
            log.warning("records_refused", count=self._all_refused(), reasons=self._refused)

    def receipt(self) -> Receipt:
        return Receipt(
            accepted=self.accepted,
            rejected=tuple(
                Rejection(
                    index=one.index,
                    reason=one.reason,
                    detail=REFUSAL_HINTS[Refusal(one.reason)],
                )
                for one in sorted(self._listed, key=lambda one: one.index)
            ),
            unlisted=self._all_refused() - len(self._listed),
            shed=self.shed,
        )
