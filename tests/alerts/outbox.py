"""Targets and events put into the database as people and the digest put them there."""

import ipaddress
import json
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from app.alerts.addresses import Reach
from app.alerts.deliver import Courier, Sender
from app.alerts.model import USUAL_KINDS
from app.alerts.route import route_round
from app.database import Database

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the specification's own
LOOPBACK: Final = Reach(networks=(ipaddress.ip_network("127.0.0.0/8"),))


async def add_target(
    connection: asyncpg.Connection, url: str, *, name: str = "team", **columns: Any
) -> None:
    values = {
        "name": name, "kind": "generic", "url": url, "secret": SECRET,
        "kinds": [kind.value for kind in USUAL_KINDS], "per_minute": 600, **columns,
    }  # fmt: skip
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await connection.execute(
        f"INSERT INTO alert_targets ({', '.join(values)}) VALUES ({places})",  # noqa: S608 - own names
        *values.values(),
    )


async def add_event(
    connection: asyncpg.Connection,
    kind: str = "opened",
    incident_id: UUID | None = None,
    **details: Any,
) -> UUID:
    """Of a new incident, unless it is named or the kind has none."""
    has_incident = kind not in {"gap", "issue_rate", "canary_loss"}
    named = incident_id or (uuid4() if has_incident else None)
    await connection.execute(
        "INSERT INTO events (kind, incident_id, details) VALUES ($1, $2, $3)",
        kind, named, json.dumps({"title": f"it failed: {kind}", **details}),
    )  # fmt: skip
    return named or UUID(int=0)


def courier(database: Database, *, reach: Reach = LOOPBACK) -> Courier:
    """Its pauses after failures are as short as can be."""
    return Courier(
        database, Sender(reach), public_url="https://sentinel.test", uniform=lambda low, _: low
    )


async def route(database: Database) -> int:
    """All events that wait; how many."""
    routed = 0
    while found := await route_round(database, public_url="https://sentinel.test"):
        routed += found
    return routed


async def deliveries(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    return list(
        await connection.fetch("SELECT * FROM alert_deliveries ORDER BY created_at, delivery_id")
    )


async def pass_a_minute(connection: asyncpg.Connection) -> None:
    """As far as the limit by the minute knows."""
    await connection.execute(
        "UPDATE alert_deliveries SET claimed_at = claimed_at - interval '61 seconds'"
    )
