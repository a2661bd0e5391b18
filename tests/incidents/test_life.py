"""The life of an incident from the first chain on, through ingest, digest and people."""

import asyncio
from typing import Any

import httpx
import pytest

from app.database import Database
from app.incidents.count_queries import count_differences

pytestmark = pytest.mark.anyio


async def fail(client: httpx.AsyncClient, chain: str, *, release: str, error: str = "Stew") -> str:
    """A chain that fails, once it is digested; its incident."""
    record = {
        "service": "kitchen", "level": "error", "message": "m", "correlation_id": chain,
        "release": release, "exception": {"type": f"{error}Error", "message": "burnt"},
    }  # fmt: skip
    answer = await client.post("/ingest/logs", json=record)
    assert answer.json()["accepted"] == 1, answer.text
    return str((await settled(client, chain))["incident_id"])


async def settled(client: httpx.AsyncClient, chain: str) -> Any:
    async with asyncio.timeout(20):
        while True:
            found = (await client.get(f"/api/chains/{chain}")).json()
            if found["incident_id"]:
                return found
            await asyncio.sleep(0.02)


async def change(client: httpx.AsyncClient, incident: str, what: str, **body: Any) -> Any:
    answer = await client.post(
        f"/api/incidents/{incident}/{what}",
        json={"done_by": "ana", **body},
        headers={"If-Match": "*"},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def read(client: httpx.AsyncClient, incident: str) -> Any:
    return (await client.get(f"/api/incidents/{incident}")).json()


async def test_an_incident_resolved_in_a_release_comes_back_only_with_that_or_a_later_one(
    client: httpx.AsyncClient, database: Database
) -> None:
    incident = await fail(client, "c-1", release="1.1.0")
    tag = (await client.get(f"/api/incidents/{incident}")).headers["ETag"]
    await change(client, incident, "resolve", in_release="1.2.0")

    older = await fail(client, "c-2", release="1.1.5")
    still = await read(client, incident)
    newer = await fail(client, "c-3", release="1.2.1")
    again = await read(client, incident)
    stale = await client.post(
        f"/api/incidents/{incident}/resolve", json={"done_by": "ben"}, headers={"If-Match": tag}
    )

    assert older == newer == incident
    assert (still["status"], still["chains"]) == ("resolved", 2)
    assert (again["status"], again["chains"], again["regressions"]) == ("open", 3, 1)
    assert [event["kind"] for event in again["history"]] == ["regressed", "resolved", "opened"]
    assert again["history"][0]["details"]["resolved_in_release"] == "1.2.0"
    assert stale.status_code == 412
    assert "regressed by the service" in stale.json()["detail"]
    async with database.session() as session:
        assert await count_differences(session) == []


async def test_later_chains_of_a_merged_root_go_where_it_went(
    client: httpx.AsyncClient, database: Database
) -> None:
    one = await fail(client, "c-1", release="1")
    other = await fail(client, "c-2", release="1", error="Soup")
    await change(client, one, "merge", incident_ids=[other])

    home = await fail(client, "c-3", release="1", error="Soup")

    merged = await read(client, one)
    assert home == one
    assert (merged["chains"], [root["chains"] for root in merged["roots"]]) == (3, [2, 1])
    async with database.session() as session:
        assert await count_differences(session) == []


async def test_a_silence_ends_with_the_chain_that_makes_it_too_many(
    client: httpx.AsyncClient,
) -> None:
    incident = await fail(client, "c-1", release="1")
    await change(client, incident, "mute", chains=2)

    await fail(client, "c-2", release="1")
    muted = await read(client, incident)
    await fail(client, "c-3", release="1")
    loud = await read(client, incident)

    assert (muted["status"], muted["muted_until_chains"]) == ("muted", 3)
    assert (loud["status"], loud["muted_until_chains"]) == ("open", None)
    assert loud["history"][0]["kind"] == "worsened"


async def test_what_an_event_says_stays_short_however_many_services_a_chain_has(
    client: httpx.AsyncClient,
) -> None:
    error = {"type": "StewError", "message": "burnt"}
    records = [
        {"service": f"s-{n:02}", "level": "info", "message": "m", "correlation_id": "c-1"}
        for n in range(30)
    ]
    failing: dict[str, Any] = {**records[0], "level": "error", "exception": error}
    answer = await client.post("/ingest/logs", json=[failing, *records[1:]])
    assert answer.json()["accepted"] == 30, answer.text

    incident = await read(client, str((await settled(client, "c-1"))["incident_id"]))

    (opened,) = incident["history"]
    assert opened["details"]["services"] == [f"s-{n:02}" for n in range(20)]
    assert opened["details"]["services_total"] == len(incident["services"]) == 30
    assert opened["details"]["releases_total"] == 0
