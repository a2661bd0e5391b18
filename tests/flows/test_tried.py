"""schemathesis over the whole OpenAPI document: nothing fails, and no answer is undocumented."""

import asyncio
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import asyncpg
import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, BaseSchema, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.errors import FailureGroup
from schemathesis.specs.openapi import checks

pytestmark = pytest.mark.anyio
CHECKS: Final = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
EXAMPLES: Final = 5
"""By chance, of each kind, for each operation."""
BOUNDARIES: Final = 20
"""Likewise, by what the document says."""
LISTENING_SECONDS: Final = 0.3
"""How long a stream is read that does not end."""
ANSWER_SECONDS: Final = 30
HERE: Final = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@schemathesis.serializer("application/x-ndjson")
def lines(_: schemathesis.SerializationContext, text: Any) -> bytes:
    return str(text).encode("utf-8", "surrogatepass")


async def document(client: httpx.AsyncClient, target_url: str) -> dict[str, Any]:
    """As the service gives it out; its example of a target leads to this machine."""
    text = (await client.get("/schema/openapi.json")).text
    return dict(json.loads(text.replace("https://alerts.example.com/prodsentinel", target_url)))


def boundaries(
    operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode
) -> Iterator[Case[Any]]:
    """Values at the bounds that the document tells, and just beyond them."""
    schema = operation.schema
    cases: Iterator[Case[Any]] = schema.iter_coverage_cases(
        operation, generation_modes=[mode], generation_config=schema.config.generation
    )
    return cases


def failures(operation: APIOperation[Any, Any, Any, Any], url: str, mode: GenerationMode) -> str:
    """What schemathesis finds wrong with the answers of one operation."""
    endless = "text/event-stream" in str(operation.definition.raw["responses"])
    # It refuses records, not requests: one that is odd must not cost its neighbours.
    is_ingest = operation.path == "/ingest/logs"
    wanted = [c for c in CHECKS if not is_ingest or c is not checks.negative_data_rejection]
    timeout = LISTENING_SECONDS if endless else ANSWER_SECONDS

    @seed(7)
    @HERE
    @given(case=operation.as_strategy(generation_mode=mode))
    def tried(case: Case[Any]) -> None:
        case.call_and_validate(base_url=url, checks=wanted, timeout=timeout)

    try:
        for case in islice(boundaries(operation, mode), BOUNDARIES):
            case.call_and_validate(base_url=url, checks=wanted, timeout=timeout)
        tried()
    except Unsatisfiable:
        # It takes nothing that could be wrong.
        assert mode.is_negative
    except FailureGroup as group:
        return f"{operation.label} ({mode}): {group}\n" + "\n".join(map(str, group.exceptions))
    return ""


def all_failures(described: dict[str, Any], url: str) -> list[str]:
    schema: BaseSchema = schemathesis.openapi.from_dict(described)
    found = [
        failures(operation, url, mode)
        for path in schema
        for operation in schema[path].values()
        for mode in GenerationMode
    ]
    assert len(found) > 100
    return [one for one in found if one]


async def test_no_request_fails_and_no_answer_is_other_than_documented(
    world: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    url = await connection.fetchval("SELECT url FROM alert_targets")
    described = await document(world, url)

    found = await asyncio.to_thread(all_failures, described, str(world.base_url))

    assert not found, "\n".join(found)
