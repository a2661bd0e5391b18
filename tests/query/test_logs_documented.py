"""Every endpoint of the search stands in the OpenAPI document with an example that works."""

from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio
RECORD = {
    "service": "payment",
    "level": "error",
    "message": "card declined",
    "correlation_id": "order-1001",
    "timestamp": "2026-11-20T12:00:00Z",
    "record_id": "0b5e1c1e-9c43-4d3a-8f0e-5a1c5a1d2e3f",
}
OPERATIONS = {"searchLogs", "countLogs", "facetLogs", "logContext", "exportLogs"}


def operations(document: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Operation -> its method, path and description."""
    return {
        operation["operationId"]: (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation["operationId"] in OPERATIONS
    }


def example_parameters(operation: dict[str, Any]) -> dict[str, Any]:
    return {
        parameter["name"]: next(iter(parameter["examples"].values()))["value"]
        for parameter in operation.get("parameters", ())
        if "examples" in parameter
    }


def example_body(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    named = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return {
        name: example
        for name, field in named["properties"].items()
        for one in (field, *field.get("oneOf", ()))
        for example in one.get("examples", ())[:1]
    }


async def test_every_example_of_the_document_is_answered(client: httpx.AsyncClient) -> None:
    await client.post("/ingest/logs", json=RECORD)
    document = (await client.get("/schema/openapi.json")).json()
    described = operations(document)
    assert set(described) == OPERATIONS

    for name, (method, path, operation) in described.items():
        parameters = example_parameters(operation)
        body = example_body(document, operation) if method == "post" else None
        assert parameters or body, name
        answer = await client.request(method, path, params=parameters, json=body)

        assert answer.status_code == 200, (name, parameters, body, answer.text)
        assert {"400", "503"} <= set(operation["responses"])
