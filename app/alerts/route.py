"""Events become messages: one transaction from the outbox of events to that of messages."""

from typing import Final

import msgspec

from app.alerts import queries
from app.alerts.messages import alert_of
from app.alerts.routing import plan
from app.database import Database

EVENTS_A_ROUND: Final = 500


async def route_round(
    database: Database,
    *,
    public_url: str,
    limit: int = EVENTS_A_ROUND,
    settled_seconds: float = 0.0,
) -> int:
    """Route the oldest events; how many. Raises `DatabaseUnavailable`.

    Events younger than `settled_seconds` wait: a chain that was digested because somebody asked
    for it may turn out to have another root, and then its incident never was one.
    All of it is committed or none: a crash has the same events routed again.
    """
    async with database.session() as session:
        if not await queries.may_route(session):
            return 0
        events = await queries.take_unrouted(session, limit=limit, settled_seconds=settled_seconds)
        if not events:
            return 0
        heard = await queries.heard(session, {e.incident_id for e in events if e.incident_id})
        planned = plan(events, await queries.all_targets(session), heard)
        facts = await queries.facts_of(session, [one.event for one in planned])
        await queries.add_deliveries(
            session,
            [
                {
                    "target": one.target,
                    "event_id": one.event.event_id,
                    "incident_id": one.event.incident_id,
                    "kind": one.event.kind.value,
                    "payload": msgspec.to_builtins(
                        alert_of(one.event, facts, public_url=public_url)
                    ),
                }
                for one in planned
            ],
        )
        await queries.mark_routed(session, [event.event_id for event in events])
        return len(events)
