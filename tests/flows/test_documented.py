"""Every endpoint stands in the OpenAPI document with examples that work."""

from typing import Any, Final

import httpx
import pytest

from tests.flows.document import GIVEN_BY_AN_ANSWER, Operation, operations

pytestmark = pytest.mark.anyio
ORDER: Final = ("get", "post", "put", "delete")


async def described(client: httpx.AsyncClient) -> list[Operation]:
    return operations((await client.get("/schema/openapi.json")).json())


async def answered(client: httpx.AsyncClient, request: dict[str, Any]) -> tuple[int, str, str]:
    """Status, media type and text; of a stream that does not end only how it begins."""
    async with client.stream(**request) as answer:
        media = answer.headers.get("content-type", "").partition(";")[0]
        endless = answer.is_success and media == "text/event-stream"
        text = "" if endless else (await answer.aread()).decode()
        return answer.status_code, media, text


async def test_every_parameter_and_body_has_an_example(client: httpx.AsyncClient) -> None:
    everything = await described(client)

    without = [
        (one.name, parameter["name"])
        for one in everything
        for parameter in one.parameters
        if not parameter.get("examples") and parameter["name"] not in GIVEN_BY_AN_ANSWER
    ]
    without += [
        (one.name, media)
        for one in everything
        for media, content in one.bodies.items()
        if not content.get("examples")
    ]
    assert len(everything) > 50
    assert without == []


async def test_every_example_of_the_document_is_answered(world: httpx.AsyncClient) -> None:
    everything = sorted(await described(world), key=lambda one: ORDER.index(one.method))
    requests = [(one, request) for one in everything for request in one.requests()]

    others = []
    for one, request in requests:
        status, media, text = await answered(world, request)
        expected, medias = one.success
        if status != expected or media not in (medias or {""}):
            others.append((one.name, request, status, media, text))

    assert others == []
    assert len(requests) > len(everything)


async def test_every_endpoint_of_the_api_refuses_a_parameter_it_does_not_have(
    world: httpx.AsyncClient,
) -> None:
    for one in await described(world):
        if one.path.startswith("/api/"):
            request = next(iter(one.requests()))
            params = {**request["params"], "qq": "x"}
            status, media, text = await answered(world, {**request, "params": params})

            assert (status, media) == (400, "application/problem+json"), (one.name, text)
            assert "`qq`: there is no such parameter" in text
