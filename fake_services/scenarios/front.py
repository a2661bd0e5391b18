"""The service that calls the one which fails: its 502 is a symptom, not the root."""

from typing import Any

import msgspec
from litestar import Request, post

from fake_services.scenarios.stage import Stage
from fake_services.service import InContext


async def front_of(stage: Stage, name: str, target: str) -> str:
    """Starts the service `name`; a POST to the URL it returns is passed on to `target`."""

    @post("/requests")
    async def pass_on(request: Request[Any, Any, Any], context: InContext) -> dict[str, Any]:
        body = await request.body()
        return await context.downstream.post(
            target, json=msgspec.json.decode(body) if body else None
        )

    return f"{await stage.service(name, pass_on)}/requests"
