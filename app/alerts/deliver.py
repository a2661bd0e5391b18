"""Messages go out: claimed in one transaction, sent in none, recorded in another.

A process that dies between sending and recording leaves a lease that ends: the message is sent
again, under the same idempotency key.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4
from zoneinfo import ZoneInfoNotFoundError

import msgspec
import structlog
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from app import metrics
from app.alerts import outbox_queries as queries
from app.alerts import signing
from app.alerts.addresses import Reach
from app.alerts.messages import Alert, summary_of, with_id
from app.alerts.model import Claimed, Target, TargetKind
from app.alerts.pace import MOST_ATTEMPTS, next_turn, pause
from app.alerts.quiet import when_to_send
from app.alerts.sending import Answered, Resolve, post, resolve
from app.alerts.slack import slack_body
from app.database import Database

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(seconds=60)
"""Longer than an attempt and its recording may take."""


class Sender:
    """Signs a message and sends it once; what both the worker and a person's test use."""

    def __init__(self, reach: Reach, *, resolve: Resolve = resolve) -> None:
        self.reach = reach
        self._resolve = resolve

    async def send(self, target: Target, alert: Alert, *, now: datetime) -> Answered:
        """Never raises for what the receiver does wrong."""
        body = body_of(alert, target.kind)
        return await post(
            target.url.reveal(),
            body=body,
            headers=signing.headers(target.secret.reveal(), message_id=alert.id, at=now, body=body),
            reach=self.reach,
            resolve=self._resolve,
        )


def body_of(alert: Alert, kind: TargetKind) -> bytes:
    return msgspec.json.encode(slack_body(alert) if kind is TargetKind.SLACK else alert)


class Courier:
    """Takes messages to their targets, one at a time for each."""

    def __init__(
        self,
        database: Database,
        sender: Sender,
        *,
        public_url: str,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._database = database
        self._sender = sender
        self._public_url = public_url
        self._uniform = uniform

    async def waiting_targets(self, *, besides: set[str], limit: int) -> list[str]:
        async with self._database.session() as session:
            return await queries.targets_with_work(session, besides=besides, limit=limit)

    async def serve(self, name: str) -> int:
        """Send what is due and may go out now; how many were tried. Raises
        `DatabaseUnavailable`."""
        sent = 0
        while await self._send_next(name):
            sent += 1
        return sent

    async def _send_next(self, name: str) -> bool:
        async with self._database.session() as session:
            target = await queries.lock_target(session, name)
            claimed = await self._claim(session, target) if target else None
        if target is None or claimed is None:
            return False
        alert = with_id(msgspec.convert(claimed.payload, Alert), str(claimed.delivery_id))
        if claimed.attempts > MOST_ATTEMPTS:
            # Whoever tried it last did not live to say what came of it, time and again.
            answered = Answered(delivered=False, reason="its attempts did not end")
        else:
            answered = await self._sender.send(target, alert, now=datetime.now(UTC))
        async with self._database.session() as session:
            await self._record(session, target, claimed, answered)
        return True

    async def _claim(self, session: AsyncSession, target: Target) -> Claimed | None:
        now = await queries.database_time(session)
        until = _quiet_until(target, now)
        if until > now:
            await queries.hold(session, target.name, until=until, besides=target.urgent)
        due = await queries.count_due(session, target.name)
        room = target.per_minute - await queries.sent_lately(session, target.name)
        turn = next_turn(due=due, room=room)
        if turn.keep is not None:
            await self._collapse(session, target.name, keep=turn.keep, now=now)
        if not turn.send:
            return None
        return await queries.claim_oldest(session, target.name, lease=LEASE)

    async def _collapse(
        self, session: AsyncSession, name: str, *, keep: int, now: datetime
    ) -> None:
        delivery_id = uuid4()
        counts = await queries.collapse(session, name, keep=keep, into=delivery_id)
        summary = summary_of(counts, at=now, public_url=self._public_url)
        await queries.add_summary(session, name, summary, delivery_id=delivery_id)
        metrics.ALERT_DELIVERIES.labels(outcome="collapsed").inc(sum(counts.values()))
        log.warning("alerts_collapsed", target=name, counts=counts)

    async def _record(
        self, session: AsyncSession, target: Target, claimed: Claimed, answered: Answered
    ) -> None:
        outcome, values = self._consequence(claimed, answered)
        common = {"status": answered.status, "error": answered.reason}
        if answered.is_gone:
            # Before its message: who deletes a target locks them in this order, too.
            await queries.disable(session, target.name, reason=answered.reason)
        if not await queries.record(session, claimed, **common, **values):
            outcome = "overtaken"
        metrics.ALERT_DELIVERIES.labels(outcome=outcome).inc()
        if outcome != "delivered":
            log.warning(
                "alert_not_delivered",
                target=target.name,
                delivery_id=str(claimed.delivery_id),
                attempts=claimed.attempts,
                outcome=outcome,
                reason=answered.reason,
            )

    def _consequence(self, claimed: Claimed, answered: Answered) -> tuple[str, dict[str, Any]]:
        """Label of the metric, and what changes in the row."""
        if answered.delivered:
            return "delivered", {"state": "delivered", "ended_at": func.clock_timestamp()}
        if answered.is_gone or claimed.attempts >= MOST_ATTEMPTS:
            return "dead", {"state": "dead", "ended_at": func.clock_timestamp()}
        wait = pause(claimed.attempts, retry_after=answered.retry_after, uniform=self._uniform)
        later = func.clock_timestamp() + timedelta(seconds=wait)
        return "failed", {"due_at": later}


def _quiet_until(target: Target, now: datetime) -> datetime:
    if target.quiet is None:
        return now
    try:
        return when_to_send(target.quiet, now)
    except ZoneInfoNotFoundError:
        # Better a message at night than none: this machine lost the rules of the zone.
        log.warning("time_zone_unknown", target=target.name, zone=target.quiet.zone)
        return now
