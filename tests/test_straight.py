"""Both ways to `POST /ingest/logs` are measured and echo the correlation ID."""

import json
import re
from typing import Any, Final

import asyncpg
import httpx
import msgspec
import pytest
from prometheus_client import REGISTRY

from app.main import create_app
from app.settings import Settings
from tests.conftest import running

pytestmark = pytest.mark.anyio
RECORD: Final = {"service": "s", "message": "m"}
OURS: Final = {"x-correlation-id": "mine"}


def answered(status: int) -> float:
    labels = {"status": str(status)}
    return REGISTRY.get_sample_value("prodsentinel_ingest_requests_total", labels) or 0


def timed() -> float:
    return REGISTRY.get_sample_value("prodsentinel_ingest_seconds_count") or 0


async def post(
    client: httpx.AsyncClient, content: Any = RECORD, *, query: str = "", **headers: str
) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(f"/ingest/logs{query}", content=body, headers=named)


@pytest.mark.parametrize("query", ["", "?commit=relaxed", "?unknown=1"])
async def test_both_ways_give_the_same_answer(client: httpx.AsyncClient, query: str) -> None:
    before = answered(202), timed()

    answer = await post(client, query=query, **OURS)

    assert answer.status_code == 202
    assert answer.json() == {"accepted": 1, "rejected": []}
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers.get_list("x-correlation-id") == ["mine"]
    assert (answered(202), timed()) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("query", ["", "?commit=durable"])
@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{oops", {}, 400),
        (b"[" + b"1," * 20_000 + b"1]", {}, 413),
        (b"<a/>", {"content_type": "application/xml"}, 415),
    ],
)
async def test_a_refusal_is_a_problem_that_is_counted_and_echoes(
    client: httpx.AsyncClient, query: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    before = answered(status)

    answer = await post(client, content, query=query, **headers, **OURS)

    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.get_list("x-correlation-id") == ["mine"]
    assert answered(status) == before + 1


async def test_a_wrong_parameter_is_counted_and_echoes(client: httpx.AsyncClient) -> None:
    before = answered(400)

    answer = await post(client, query="?commit=maybe", **OURS)

    assert answer.headers["x-correlation-id"] == "mine"
    assert answered(400) == before + 1


@pytest.mark.parametrize("query", ["", "?commit=durable"])
async def test_a_failure_of_the_service_is_counted_and_echoes(
    client: httpx.AsyncClient, connection: asyncpg.Connection, query: str
) -> None:
    await connection.execute("ALTER TABLE log_records RENAME TO gone")
    before = answered(500)

    answer = await post(client, query=query, **OURS)

    assert answer.status_code == 500
    assert answer.json()["detail"] == "The service failed; its log says why."
    assert answer.headers.get_list("x-correlation-id") == ["mine"]
    assert answered(500) == before + 1


@pytest.mark.parametrize("query", ["", "?commit=durable"])
async def test_without_a_database_and_a_spool_the_sender_is_told_when_to_return(
    settings: Settings, query: str
) -> None:
    none = f"postgresql://nobody@/none?host={settings.data_dir}"
    away = msgspec.structs.replace(settings, database_url=none, spool_max_bytes=0)
    async with running(create_app(away)) as client:
        answer = await post(client, query=query, **OURS)

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.headers.get_list("x-correlation-id") == ["mine"]


@pytest.mark.parametrize("sent", [{}, {"x_correlation_id": "no spaces"}, {"x_correlation_id": ""}])
async def test_without_a_usable_correlation_id_the_answer_carries_a_new_one(
    client: httpx.AsyncClient, sent: dict[str, str]
) -> None:
    answers = [await post(client, **sent) for _ in range(2)]

    echoed = [answer.headers["x-correlation-id"] for answer in answers]
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in echoed)
    assert echoed[0] != echoed[1]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_other_methods_are_told_which_are_allowed(
    client: httpx.AsyncClient, method: str
) -> None:
    answer = await client.request(method, "/ingest/logs", json=RECORD)

    assert answer.status_code == 405
    assert sorted(answer.headers["allow"].split(", ")) == ["OPTIONS", "POST"]


async def test_options_tells_what_is_allowed(client: httpx.AsyncClient) -> None:
    answer = await client.options("/ingest/logs", headers=OURS)

    assert answer.status_code == 204
    assert sorted(answer.headers["allow"].split(", ")) == ["OPTIONS", "POST"]
    assert answer.headers["x-correlation-id"] == "mine"


async def test_the_document_describes_the_parameters(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()

    operation = document["paths"]["/ingest/logs"]["post"]
    named = {one["name"]: one["schema"] for one in operation["parameters"]}
    assert set(named) == {"commit", "shed"}
    assert {"202", "400", "408", "413", "415", "429", "503"} <= set(operation["responses"])
