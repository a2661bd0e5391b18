import asyncio
import base64
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

from app.main import create_app
from app.settings import Settings
from tests.conftest import running

pytestmark = pytest.mark.anyio
UUID_ERROR = {
    "type": "TypeError",
    "message": "Object of type UUID is not JSON serializable",
    "stacktrace": (
        "Traceback (most recent call last):\n"
        '  File "/srv/payment/charge.py", line 31, in charge\n'
        "    body = json.dumps(payload)\n"
        "TypeError: Object of type UUID is not JSON serializable\n"
    ),
}


def cursor(moment: str) -> str:
    return base64.urlsafe_b64encode(f"{moment} {UUID(int=7)}".encode()).decode()


async def post(client: httpx.AsyncClient, *records: dict[str, Any]) -> None:
    answer = await client.post("/ingest/logs", json=list(records))
    assert answer.status_code == 202, answer.text
    assert answer.json()["rejected"] == []


async def failing_chain(client: httpx.AsyncClient, correlation_id: str, **fields: Any) -> Any:
    """Post a chain with one error, wait until it is digested, and return it."""
    await post(
        client,
        {"service": "gateway", "message": "in", "correlation_id": correlation_id},
        {
            "service": "payment",
            "level": "error",
            "message": "charge failed",
            "exception": UUID_ERROR,
            "correlation_id": correlation_id,
            **fields,
        },
    )
    async with asyncio.timeout(20):
        while True:
            chain = (await client.get(f"/api/chains/{correlation_id}")).json()
            if chain["incident_id"]:
                return chain
            await asyncio.sleep(0.02)


async def test_a_chain_outlives_its_records_as_evidence_of_its_incident(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    before = await failing_chain(client, "c-gone")
    await connection.execute("DELETE FROM log_records")

    after = (await client.get("/api/chains/c-gone")).json()

    assert (before["from_evidence"], after["from_evidence"]) == (False, True)
    assert after["records"] == before["records"]
    assert after["roots"] == before["roots"]
    assert after["match"]["fix"]


async def test_a_chain_of_which_nothing_is_left_points_to_its_incident(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    chain = await failing_chain(client, "c-gone")
    await connection.execute("DELETE FROM log_records")
    await connection.execute("DELETE FROM incident_evidence")

    gone = await client.get("/api/chains/c-gone")
    incident = await client.get(f"/api/incidents/{chain['incident_id']}")

    assert gone.status_code == 404
    assert "older than what is kept" in gone.json()["detail"]
    assert chain["incident_id"] in gone.json()["detail"]
    assert incident.status_code == 200
    assert incident.json()["sample_chains"][0]["correlation_id"] == "c-gone"
    assert incident.json()["match"]["fix"]


async def test_a_chain_shows_its_records_services_root_and_fix(client: httpx.AsyncClient) -> None:
    chain = await failing_chain(client, "c-1")

    assert [record["service"] for record in chain["records"]] == ["gateway", "payment"]
    assert chain["services"] == ["gateway", "payment"]
    assert chain["root"]["service"] == "payment"
    assert chain["root"]["culprit"].startswith("charge")
    assert chain["match"]["known_issue_id"] == "uuid-not-json-serializable"
    assert "json" in chain["match"]["fix"]
    assert chain["capped"] is False


async def test_a_record_can_be_read_back_at_once(client: httpx.AsyncClient) -> None:
    await post(client, {"service": "s", "message": "hello", "correlation_id": "now"})

    chain = (await client.get("/api/chains/now")).json()

    assert chain["records"][0]["message"] == "hello"
    assert (chain["failing"], chain["root"], chain["match"]) == (False, None, None)


async def test_an_incident_shows_why_and_what_to_do(client: httpx.AsyncClient) -> None:
    chain = await failing_chain(client, "c-2", environment="prod")

    listed = (await client.get("/api/incidents")).json()["incidents"]
    incident = (await client.get(f"/api/incidents/{chain['incident_id']}")).json()

    assert [one["incident_id"] for one in listed] == [chain["incident_id"]]
    assert (listed[0]["known"], listed[0]["tier"]) == (True, "exact")
    assert incident["match"]["evidence"]
    assert incident["match"]["source"]["document"].endswith(".md")
    assert incident["signature"]["explanation"]["parts"]
    assert incident["sample_chains"][0]["correlation_id"] == "c-2"
    assert incident["environments"] == ["prod"]


async def test_an_unknown_error_is_shown_as_unknown(client: httpx.AsyncClient) -> None:
    chain = await failing_chain(
        client, "c-3", exception={"type": "KettleError", "message": "it exploded"}
    )

    incident = (await client.get(f"/api/incidents/{chain['incident_id']}")).json()

    assert chain["match"] is None
    assert incident["known"] is False
    assert (incident["match"], incident["known_issue_id"]) == (None, None)


async def test_a_failing_chain_is_settled_at_once_when_somebody_asks_for_it(
    settings: Settings,
) -> None:
    patient = msgspec.structs.replace(settings, quiet_seconds=600)
    async with running(create_app(patient)) as client:
        await post(
            client,
            {"service": "s", "exception": UUID_ERROR, "message": "m", "correlation_id": "a/b"},
        )
        chain = (await client.get("/api/chains/a/b")).json()

    assert chain["settled"] is True
    assert chain["incident_id"]
    assert chain["match"]["known_issue_id"] == "uuid-not-json-serializable"
    assert chain["root"]["message"] == "m"


async def test_records_of_one_request_keep_the_order_they_were_sent_in(
    client: httpx.AsyncClient,
) -> None:
    steps = [{"service": "s", "message": f"step {n}", "correlation_id": "c"} for n in range(50)]
    await post(client, *steps)

    chain = (await client.get("/api/chains/c")).json()

    assert [r["message"] for r in chain["records"]] == [step["message"] for step in steps]


async def test_incidents_are_paged_newest_first(client: httpx.AsyncClient) -> None:
    for number, kind in enumerate(("OneError", "TwoError", "ThreeError")):
        await failing_chain(
            client,
            f"page-{number}",
            exception={"type": kind, "message": "m"},
            timestamp=f"2026-11-20T11:00:0{number}Z",
        )

    first = (await client.get("/api/incidents", params={"limit": 2})).json()
    second = (
        await client.get("/api/incidents", params={"limit": 2, "after": first["next"]})
    ).json()

    titles = [one["title"].partition(":")[0] for one in first["incidents"] + second["incidents"]]
    assert titles == ["ThreeError", "TwoError", "OneError"]
    assert second["next"] is None


async def test_incidents_are_filtered_by_status(client: httpx.AsyncClient) -> None:
    await failing_chain(client, "c-4")

    answer = await client.get("/api/incidents", params={"status": "resolved"})

    assert answer.json()["incidents"] == []


async def test_known_issues_are_listed_and_read(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/api/known-issues")).json()
    one = (await client.get("/api/known-issues/raw-sql-text")).json()

    assert {"raw-sql-text", "alembic-never-awaited"} <= {i["known_issue_id"] for i in listed}
    assert one["fix"]
    assert one["source"]["first_line"] > 0


async def test_match_says_which_known_issue_an_error_is(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/match", json={"text": UUID_ERROR["stacktrace"]})

    found = answer.json()
    assert answer.status_code == 200
    assert found["known"] is True
    assert found["match"]["known_issue_id"] == "uuid-not-json-serializable"
    assert found["match"]["evidence"][0]["quote"]
    assert found["match"]["fix"]


async def test_match_takes_an_exception_too(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/match", json={"exception": UUID_ERROR})

    assert answer.json()["match"]["known_issue_id"] == "uuid-not-json-serializable"


async def test_match_says_when_it_knows_none(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/match", json={"text": "KeyError: 'XK'"})

    assert answer.json() == {"known": False, "match": None, "others": []}


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/api/chains/%00", "No log record carries this correlation ID."),
        ("/api/known-issues/%00", "The catalogue has no entry with this ID."),
        ("/api/chains/nowhere", "No log record carries this correlation ID."),
        (f"/api/incidents/{UUID(int=7)}", "No incident has this ID."),
        ("/api/known-issues/nothing", "The catalogue has no entry with this ID."),
    ],
)
async def test_what_does_not_exist_is_a_clear_404(
    client: httpx.AsyncClient, path: str, says: str
) -> None:
    answer = await client.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {"status": 404, "title": "Not Found", "detail": says}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/incidents?limit=0", None),
        ("GET", "/api/incidents?limit=1000000000", None),
        ("GET", "/api/incidents?status=sad", None),
        ("GET", "/api/incidents?after=tampered", None),
        ("GET", f"/api/incidents?after={cursor('0001-01-01T00:00:00+23:59')}", None),
        ("GET", f"/api/incidents?after={cursor('2026-01-01T00:00:00')}", None),
        ("POST", "/api/match", {}),
        ("POST", "/api/match", {"text": "  "}),
        ("POST", "/api/match", {"text": 5}),
    ],
)
async def test_a_bad_question_is_a_400_that_says_what_to_change(
    client: httpx.AsyncClient, method: str, path: str, body: Any
) -> None:
    answer = await client.request(method, path, json=body)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.json()["detail"]) > 10


async def test_the_openapi_document_names_every_operation(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()

    operations = {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    }
    assert operations >= {
        "ingestLogs", "ingestHealth", "getChain", "listIncidents", "getIncident",
        "listKnownIssues", "getKnownIssue", "matchError", "listIncidentEvents",
        "listIncidentHours", "acknowledgeIncident", "resolveIncident", "reopenIncident",
        "muteIncident", "unmuteIncident", "mergeIncidents", "splitIncident", "noteIncident",
    }  # fmt: skip
    body = document["paths"]["/ingest/logs"]["post"]["requestBody"]["content"]
    assert {"application/json", "application/x-ndjson"} <= set(body)
