"""The OpenAPI document as a client reads it, and a service where each of its examples holds."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import msgspec

from app.alerts.messages import alert_for_test
from tests.incidents.seeded import add_incident

GIVEN_BY_AN_ANSWER: Final = {"after", "If-None-Match", "Last-Event-ID"}
"""Parameters that a client has from an answer before."""
EVENTS: Final = "text/event-stream"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    method: str
    path: str
    described: dict[str, Any]

    @property
    def parameters(self) -> list[dict[str, Any]]:
        return list(self.described.get("parameters", ()))

    @property
    def bodies(self) -> dict[str, dict[str, Any]]:
        """Media type -> what it is said of it."""
        return dict(self.described.get("requestBody", {}).get("content", {}))

    @property
    def success(self) -> tuple[int, set[str]]:
        """Its status and media types."""
        status = next(int(code) for code in self.described["responses"] if code.startswith("2"))
        return status, set(self.described["responses"][str(status)].get("content", ()))

    @property
    def is_endless(self) -> bool:
        return EVENTS in self.success[1]

    def requests(self) -> Iterator[dict[str, Any]]:
        """What httpx needs to send each example; the first of every parameter with each body."""
        values: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
        for parameter in self.parameters:
            for example in list(parameter.get("examples", {}).values())[:1]:
                values[parameter["in"]][parameter["name"]] = example["value"]
        request = {
            "method": self.method.upper(),
            "url": self.path.format(**values["path"]),
            "params": values["query"],
            "headers": values["header"],
        }
        if not self.bodies:
            yield request
        for media, content in self.bodies.items():
            for example in content["examples"].values():
                body = example["value"]
                given = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
                headers = {**values["header"], "Content-Type": media}
                yield {**request, "headers": headers, "content": given}


def operations(document: dict[str, Any]) -> list[Operation]:
    """In the order of the document."""
    return [
        Operation(name=described["operationId"], method=method, path=path, described=described)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]


def example_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The body of this operation."""
    (one,) = [one for one in operations(document) if one.name == name]
    return dict(next(iter(one.bodies["application/json"]["examples"].values()))["value"])


def parameter_of(document: dict[str, Any], name: str) -> str:
    """The one example that the document has for a parameter of this name."""
    (value,) = {
        str(example["value"])
        for one in operations(document)
        for parameter in one.parameters
        if parameter["name"] == name
        for example in parameter.get("examples", {}).values()
    }
    return value


async def make_world(
    client: httpx.AsyncClient, connection: asyncpg.Connection, *, target_url: str
) -> None:
    """What the examples of the document speak of."""
    document = (await client.get("/schema/openapi.json")).json()
    named = {
        "record_id": parameter_of(document, "record_id"),
        "timestamp": parameter_of(document, "occurred_at"),
    }
    await client.post("/ingest/logs", json={**example_of(document, "ingestLogs"), **named})
    await _name_incident(connection, UUID(parameter_of(document, "incident_id")))
    (other,) = example_of(document, "mergeIncidents")["incident_ids"]
    (root,) = example_of(document, "splitIncident")["root_signature_ids"]
    await add_incident(connection, root, incident_id=UUID(other))
    await client.put("/api/saved-searches/late-payments", json={"q": "late"})
    issue = parameter_of(document, "known_issue_id")
    await client.put(f"/api/alert-thresholds/{issue}", json={"chains_per_hour": 1_000})
    await client.put(
        "/api/alert-targets/on-call",
        json={**example_of(document, "putAlertTarget"), "url": target_url},
    )
    alert = alert_for_test("on-call", at=datetime.now(UTC), public_url="")
    await connection.execute(
        "INSERT INTO alert_deliveries (delivery_id, target, kind, payload, state, ended_at)"
        " VALUES ($1, 'on-call', 'opened', $2, 'dead', now())",
        UUID(parameter_of(document, "delivery_id")),
        msgspec.json.encode(alert).decode(),
    )


async def _name_incident(connection: asyncpg.Connection, name: UUID) -> None:
    """Once the digest has opened it."""
    async with asyncio.timeout(20):
        while not await connection.fetchval("SELECT count(*) FROM incident_chains"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        while await connection.fetchval("SELECT count(*) FROM chain_marks"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    tables = await connection.fetch(
        "SELECT table_name FROM information_schema.columns"
        " WHERE column_name = 'incident_id' AND table_schema = 'public'"
    )
    async with connection.transaction():
        for (table,) in tables:
            await connection.execute(f"UPDATE {table} SET incident_id = $1", name)  # noqa: S608
