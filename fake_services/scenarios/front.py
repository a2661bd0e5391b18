"""The service that calls the one which fails: its 502 is a symptom, not the root."""

from typing import Any

from litestar import post

from fake_services.scenarios.stage import Stage
from fake_services.service import InContext


async def front_of(stage: Stage, name: str, target: str) -> str:
    """Starts the service `name`; a POST to the URL it returns is passed on to `target`."""

    @post("/requests")
    async def pass_on(context: InContext, data: dict[str, Any] | None = None) -> dict[str, Any]:
        return await context.downstream.post(target, json=data)

    return f"{await stage.service(name, pass_on)}/requests"
