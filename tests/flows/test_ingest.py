"""What senders really send, over HTTP, and what they are told."""

import asyncio
import gzip
import json
from typing import Any

import httpx
import pytest
import zstandard

pytestmark = pytest.mark.anyio
RECORD = {"service": "s", "message": "m", "correlation_id": "flow"}


async def post(client: httpx.AsyncClient, content: Any, **headers: str) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(
        "/ingest/logs", content=body, headers={"content-type": "application/json", **named}
    )


async def stored(client: httpx.AsyncClient, correlation_id: str = "flow") -> list[dict[str, Any]]:
    answer = await client.get(f"/api/chains/{correlation_id}")
    return list(answer.json()["records"]) if answer.is_success else []


@pytest.mark.parametrize(
    "records", [RECORD, [RECORD], [RECORD] * 3], ids=["an object", "an array of one", "of three"]
)
async def test_an_object_and_an_array_are_accepted(client: httpx.AsyncClient, records: Any) -> None:
    answer = await post(client, records)

    expected = len(records) if isinstance(records, list) else 1
    assert answer.status_code == 202
    assert answer.json() == {"accepted": expected, "rejected": []}
    assert len(await stored(client)) == expected


@pytest.mark.parametrize(
    ("encoding", "encode"), [("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress)]
)
async def test_compressed_ndjson_is_accepted(
    client: httpx.AsyncClient, encoding: str, encode: Any
) -> None:
    lines = "\n".join(json.dumps(RECORD) for _ in range(50)).encode()

    answer = await post(
        client, encode(lines), content_type="application/x-ndjson", content_encoding=encoding
    )

    assert answer.json()["accepted"] == 50
    assert len(await stored(client)) == 50


async def test_bad_records_are_refused_by_index_and_their_neighbours_stored(
    client: httpx.AsyncClient,
) -> None:
    batch = [RECORD, {"message": "who?"}, RECORD, "text", {"service": "s"}, RECORD]

    answer = await post(client, batch)

    assert answer.status_code == 202
    assert answer.json()["accepted"] == 3
    assert [(r["index"], r["reason"]) for r in answer.json()["rejected"]] == [
        (1, "service_missing"),
        (3, "not_an_object"),
        (4, "message_missing"),
    ]
    assert all(r["detail"] for r in answer.json()["rejected"])
    assert len(await stored(client)) == 3


async def test_a_bad_line_is_refused_by_its_index(client: httpx.AsyncClient) -> None:
    body = b'{"service":"s","message":"m","correlation_id":"flow"}\n{"service":\n'

    answer = await post(client, body, content_type="application/x-ndjson")

    assert answer.json()["accepted"] == 1
    assert answer.json()["rejected"][0]["reason"] == "not_json"


async def test_hostile_values_are_stored_repaired_and_marked(client: httpx.AsyncClient) -> None:
    body = (
        b'[{"service":"s","correlation_id":"flow","message":"nul \\u0000 and \\ud800",'
        b'"level":"loud","timestamp":"yesterday","attributes":{"a\\u0000":[NaN]}},'
        b'{"service":"s","correlation_id":"flow","message":"' + b"x" * 10_000_000 + b'"}]'
    )

    answer = await post(client, body)

    assert answer.json() == {"accepted": 2, "rejected": []}
    first, second = await stored(client)
    assert first["message"] == "nul \ufffd and \ufffd"
    assert set(first["annotations"]) == {"text_repaired", "level_unknown", "time_unreadable"}
    assert first["attributes"]["timestamp"] == "yesterday"
    assert len(second["message"]) == 65_536
    assert second["annotations"] == ["message_cut"]


async def test_the_correlation_id_header_comes_back_beside_a_traceparent(
    client: httpx.AsyncClient,
) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    answer = await post(client, RECORD, x_correlation_id="mine", traceparent=parent)

    assert answer.headers["x-correlation-id"] == "mine"


async def test_more_records_than_allowed_are_refused_whatever_they_weigh(
    client: httpx.AsyncClient,
) -> None:
    body = gzip.compress(b"[" + b"1," * 200_000 + b"1]")

    answer = await post(client, body, content_encoding="gzip")

    assert answer.status_code == 413
    assert "more than 20,000 records" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"{oops", {}, 400, "at line 1, column 2"),
        (b"", {}, 400, "it is empty"),
        (b"[" * 50_000, {}, 400, "nested too deep"),
        (b"<a/>", {"content_type": "application/xml"}, 415, "send application/json"),
        (b"{}", {"content_encoding": "br"}, 415, "send identity, gzip or zstd"),
        (b"junk", {"content_encoding": "gzip"}, 400, "not readable as gzip"),
        (gzip.compress(b" " * 60_000_000), {"content_encoding": "gzip"}, 413, "smaller batches"),
    ],
)
async def test_a_body_that_cannot_be_read_is_told_why(
    client: httpx.AsyncClient, body: bytes, headers: dict[str, str], status: int, says: str
) -> None:
    answer = await post(client, body, **headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]


async def test_the_requests_correlation_id_is_given_to_its_records_and_echoed(
    client: httpx.AsyncClient,
) -> None:
    answer = await post(client, {"service": "s", "message": "m"}, x_correlation_id="from-header")

    assert answer.headers["x-correlation-id"] == "from-header"
    assert len(await stored(client, "from-header")) == 1


async def test_a_request_without_a_correlation_id_gets_one(client: httpx.AsyncClient) -> None:
    assert len((await client.get("/ingest/health")).headers["x-correlation-id"]) == 32


async def test_a_resent_batch_is_accepted_and_stored_once(client: httpx.AsyncClient) -> None:
    record = {**RECORD, "record_id": "0198c0de-0000-7000-8000-000000000001"}

    answers = await asyncio.gather(*(post(client, record) for _ in range(5)))

    assert [answer.json()["accepted"] for answer in answers] == [1] * 5
    assert len(await stored(client)) == 1


async def test_health_tells_the_state_of_its_parts(client: httpx.AsyncClient) -> None:
    answer = await client.get("/ingest/health")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "database": "ok",
        "spool": "empty",
        "spooled_records": 0,
        "set_aside_records": 0,
        "digest": "ok",
        "chains_waiting": 0,
        "known_issues": answer.json()["known_issues"],
    }
    assert answer.json()["known_issues"] >= 33


async def test_metrics_count_what_happened_with_bounded_labels(client: httpx.AsyncClient) -> None:
    await post(client, [RECORD, {"message": "who?"}])
    for number in range(5):
        await client.get(f"/api/chains/never-{number}")

    text = (await client.get("/metrics")).text

    for name in (
        "prodsentinel_records_accepted_total",
        'prodsentinel_records_refused_total{reason="service_missing"}',
        "prodsentinel_commit_seconds_bucket",
        "prodsentinel_batch_records_bucket",
        "prodsentinel_signatures_seen_total",
        "prodsentinel_incidents_open",
        "db_connections_used",
        'path="/api/chains/{correlation_id}"',
    ):
        assert name in text
    assert "never-1" not in text


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(b'{"n":1e999999}', id="exponent"),
        pytest.param(b'{"n":[1,-2.5E+400]}', id="in a list"),
        pytest.param(b'{"n":' + b"7" * 5000 + b"}", id="digits"),
        pytest.param(b'{"a":' * 200 + b"1" + b"}" * 200, id="depth"),
    ],
)
@pytest.mark.parametrize("level", ["info", "error"])
async def test_values_that_jsonb_cannot_hold_are_repaired_on_the_way(
    client: httpx.AsyncClient, attributes: bytes, level: str
) -> None:
    body = (
        b'{"service":"s","message":"m","correlation_id":"flow","level":"'
        + level.encode()
        + b'","attributes":'
        + attributes
        + b"}"
    )

    answer = await post(client, body)

    assert answer.json() == {"accepted": 1, "rejected": []}
    assert len(await stored(client)) == 1
