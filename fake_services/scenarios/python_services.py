"""Scenarios of `python-services.md`."""

from typing import Any, Final

from litestar import post

from fake_services.inventory import check_database
from fake_services.scenarios.model import Scenario
from fake_services.scenarios.stage import Stage
from fake_services.service import InContext

SQLALCHEMY_URL: Final = "postgresql+asyncpg://inventory@127.0.0.1:5432/inventory"


async def raw_sql(stage: Stage) -> None:
    """Inventory's health check forgets `text()`; the shop front that asks it answers 502."""

    @post("/checks")
    async def check(context: InContext) -> None:
        await check_database(context.settings.database_url)

    inventory = await stage.service("inventory", check, database_url=SQLALCHEMY_URL)

    @post("/readiness")
    async def readiness(context: InContext) -> dict[str, Any]:
        return await context.downstream.post(f"{inventory}/checks")

    front = await stage.service("storefront", readiness)
    await stage.request("POST", f"{front}/readiness")


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(
        name="raw-sql-text",
        shows="a health check hands a session a plain string instead of text()",
        root_service="inventory",
        root="ArgumentError",
        run=raw_sql,
    ),
)
