"""The canary beside the service: its own process asked over real HTTP, told as metrics."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from app import metrics
from app.canary.client import Service, ServiceUnreachable
from app.canary.findings import Finding, Plan
from app.canary.probe import Probe
from app.canary.verdict import Outcome

log = structlog.get_logger(__name__)

KNOCK_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 10.0


class CanaryWorker:
    """Sends chains to the service it runs in, for as long as that runs.

    By HTTP and not by a call inside: what senders and readers meet is what is watched.
    """

    def __init__(
        self, url: str, plan: Plan, *, tell_loss: Callable[[dict[str, int]], None] | None = None
    ) -> None:
        """`tell_loss` gets the records of a faulty chain, counted by what became of them."""
        self._url = url
        self._plan = plan
        self._tell_loss = tell_loss

    async def run(self) -> None:
        """Until cancelled; whatever goes wrong is logged and counted, and it begins again."""
        for outcome in Outcome:
            metrics.CANARY_RECORDS.labels(outcome=outcome.value)
        while True:
            try:
                async with Service(self._url) as service:
                    await _until_it_answers(service)
                    await Probe(service, self._plan, self._tell).run()
            except Exception:
                metrics.CANARY_FAILURES.inc()
                log.exception("canary_failed")
            await asyncio.sleep(RETRY_SECONDS)

    def _tell(self, finding: Finding) -> None:
        tell(finding)
        if finding.faulty and self._tell_loss:
            counts = finding.verdict.counts()
            self._tell_loss({outcome.value: count for outcome, count in counts.items()})


async def _until_it_answers(service: Service) -> None:
    """The workers start before the port is open."""
    while True:
        try:
            await service.require()
        except ServiceUnreachable:
            await asyncio.sleep(KNOCK_SECONDS)
        else:
            return


def tell(finding: Finding) -> None:
    """Add a finding to the metrics; faults also go to the log."""
    counts = finding.verdict.counts()
    for outcome, count in counts.items():
        metrics.CANARY_RECORDS.labels(outcome=outcome.value).inc(count)
    for seconds in finding.readable_after:
        metrics.CANARY_READABLE_SECONDS.observe(seconds)
    if finding.well:
        metrics.CANARY_LAST_SUCCESS.set_to_current_time()
    if finding.faulty:
        log.error(
            "canary_found_fault",
            correlation_id=finding.correlation_id,
            outcomes={outcome.value: count for outcome, count in counts.items()},
        )
