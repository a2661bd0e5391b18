"""One run of the canary: sends chains on a schedule, follows each until it can be judged."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from app.canary.chains import KnownChain, KnownRecord, Parcel, known_chain
from app.canary.client import Service
from app.canary.findings import Finding, Plan
from app.canary.verdict import Answer, Delivery, Row, judge

FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 1.0
GRACE_SECONDS: Final = 5.0
"""Beyond the wait, for a service that does not answer just then."""


class _Followed:
    """What is known so far of one chain under way."""

    def __init__(self, chain: KnownChain) -> None:
        self.chain = chain
        self.answers = dict.fromkeys((one.record_id for one in chain.records), Answer.NONE)
        self.acknowledged_at: dict[UUID, float] = {}
        self.acknowledged_after: list[float] = []
        self.readable_after: dict[UUID, float] = {}

    def acknowledge(self, parcel: Parcel, answers: tuple[Answer, ...], *, at: float) -> None:
        for record, answer in zip(parcel.records, answers, strict=True):
            if answer is Answer.ACCEPTED:
                self.acknowledged_at.setdefault(record.record_id, at)
            # What was accepted once stays owed, whatever is said to the same record later.
            if self.answers[record.record_id] is not Answer.ACCEPTED:
                self.answers[record.record_id] = answer

    def see(self, rows: tuple[Row, ...], *, at: float) -> None:
        for row in rows:
            since = self.acknowledged_at.get(row.record_id)
            if since is not None:
                self.readable_after.setdefault(row.record_id, at - since)

    def last_acknowledged(self, records: tuple[KnownRecord, ...]) -> float | None:
        """When the last of these was; None when none was."""
        moments = (self.acknowledged_at.get(record.record_id) for record in records)
        return max((moment for moment in moments if moment is not None), default=None)

    def owed(self, parcel: Parcel) -> bool:
        """Whether one of its records was accepted and has not been seen."""
        return any(
            record.record_id in self.acknowledged_at and record.record_id not in self.readable_after
            for record in parcel.records
        )

    def deliveries(self) -> list[Delivery]:
        return [
            Delivery(
                record=record,
                answer=self.answers[record.record_id],
                readable_after=self.readable_after.get(record.record_id),
            )
            for record in self.chain.records
        ]


class Probe:
    """Sends by the clock, not by the answers: a slow service is not spared.

    A chain lives for a bounded time, so what is under way is bounded by rate times that time.
    """

    def __init__(
        self,
        service: Service,
        plan: Plan,
        tell: Callable[[Finding], None],
        begin: Callable[[], None] = lambda: None,
    ) -> None:
        self.run_id = secrets.token_hex(4)
        self.sent = 0
        self._service = service
        self._plan = plan
        self._tell = tell
        self._begin = begin
        self._stopped = asyncio.Event()
        self._all_sent = asyncio.Event()

    def stop(self) -> None:
        """Send no more, ask once more for what is under way, and end."""
        self._stopped.set()
        self._all_sent.set()

    async def run(self) -> None:
        """Until every chain is judged."""
        async with asyncio.TaskGroup() as following:
            await self._send_all(following)
            self._all_sent.set()

    async def _send_all(self, following: asyncio.TaskGroup) -> None:
        started = _now()
        while not self._stopped.is_set() and self.sent != self._plan.chains:
            chain = known_chain(self.run_id, self.sent, at=datetime.now(UTC))
            following.create_task(self._follow(chain), name=chain.correlation_id)
            self.sent += 1
            self._begin()
            await _pause(self._stopped, started + self.sent / self._plan.rate - _now())

    async def _follow(self, chain: KnownChain) -> None:
        """Deliver a chain, look for it at once, and look again when the wait is over."""
        followed = _Followed(chain)
        async with asyncio.TaskGroup() as delivering:
            for parcel in chain.parcels:
                delivering.create_task(self._deliver(followed, parcel))
        deadline = (followed.last_acknowledged(chain.records) or _now()) + self._plan.wait
        # What was readable may vanish, and what was resent may be doubled later. A run that has
        # nothing left to send looks at once.
        await _pause(self._all_sent, deadline - _now())
        rows = await self._last_look(followed, deadline + GRACE_SECONDS)
        verdict = judge(
            followed.deliveries(),
            rows,
            late_after=self._plan.late_after,
            waited=not self._stopped.is_set() or _now() >= deadline,
        )
        self._tell(
            Finding(
                correlation_id=chain.correlation_id,
                verdict=verdict,
                acknowledged_after=tuple(followed.acknowledged_after),
                readable_after=tuple(followed.readable_after.values()),
            )
        )

    async def _deliver(self, followed: _Followed, parcel: Parcel) -> None:
        await self._send(followed, parcel)
        await self._until_seen(followed, parcel)
        if followed.chain.resend and not self._stopped.is_set():
            await self._send(followed, parcel)
            await self._until_seen(followed, parcel)

    async def _send(self, followed: _Followed, parcel: Parcel) -> None:
        said = await self._service.send(parcel)
        followed.acknowledge(parcel, said.answers, at=_now())
        if said.seconds is not None:
            followed.acknowledged_after.append(said.seconds)

    async def _until_seen(self, followed: _Followed, parcel: Parcel) -> None:
        acknowledged_at = followed.last_acknowledged(parcel.records)
        deadline = (acknowledged_at or 0) + self._plan.wait
        pause = FIRST_PAUSE_SECONDS
        while followed.owed(parcel):
            await self._look(followed)
            left = deadline - _now()
            if not followed.owed(parcel) or left <= 0 or self._stopped.is_set():
                return
            await _pause(self._stopped, min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _look(self, followed: _Followed) -> tuple[Row, ...] | None:
        rows = await self._service.read(followed.chain.correlation_id)
        followed.see(rows or (), at=_now())
        return rows

    async def _last_look(self, followed: _Followed, deadline: float) -> tuple[Row, ...] | None:
        """Asked again when nobody answers: what could not be asked for is not missing."""
        while True:
            rows = await self._look(followed)
            if rows is not None or self._stopped.is_set() or _now() >= deadline:
                return rows
            await _pause(self._stopped, LONGEST_PAUSE_SECONDS)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _pause(unless: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until the event is set."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    try:
        async with asyncio.timeout(seconds):
            await unless.wait()
    except TimeoutError:
        pass
