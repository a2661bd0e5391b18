"""Scenarios of `python-services.md`."""

import asyncio
import sys
from typing import Any, Final

from litestar import post
from sqlalchemy import create_engine, text

from fake_services.inventory import check_database, read_stock
from fake_services.payment import price, write_receipt
from fake_services.scenarios import sources
from fake_services.scenarios.front import front_of
from fake_services.scenarios.model import Scenario
from fake_services.scenarios.stage import Stage
from fake_services.service import InContext
from fake_services.telemetry import Telemetry

SQLALCHEMY_URL: Final = "postgresql+asyncpg://inventory@127.0.0.1:5432/inventory"


async def raw_sql(stage: Stage) -> None:
    """Inventory's readiness check forgets `text()`."""

    @post("/checks")
    async def check(context: InContext) -> None:
        await check_database(context.settings.database_url)

    inventory = await stage.service("inventory", check, database_url=SQLALCHEMY_URL)
    front = await front_of(stage, "storefront", f"{inventory}/checks")
    await stage.request("POST", front)


async def asyncpg_dsn(stage: Stage) -> None:
    """Inventory goes past SQLAlchemy to the driver, with SQLAlchemy's URL."""

    @post("/reservations")
    async def reserve(context: InContext) -> None:
        await read_stock(context.settings.database_url)

    inventory = await stage.service("inventory", reserve, database_url=SQLALCHEMY_URL)
    front = await front_of(stage, "storefront", f"{inventory}/reservations")
    await stage.request("POST", front)


async def uuid_in_json(stage: Stage) -> None:
    """Payment's receipt holds a UUID that nobody turned into text."""

    @post("/payments")
    async def pay() -> dict[str, Any]:
        return {"receipt": write_receipt("uuid-json-1", price("DE"))}

    payment = await stage.service("payment", pay)
    front = await front_of(stage, "storefront", f"{payment}/payments")
    await stage.request("POST", front)


async def telemetry_goes_astray(stage: Stage) -> None:
    """The settlement job takes its neighbour for ProdSentinel; only its own output shows it.

    The container's log agent ships that output, the job's own records end in inventory's 404.
    """
    inventory = await stage.service("inventory")
    scheduler, agent = stage.telemetry("scheduler"), stage.telemetry("settlement")
    script = stage.scratch / "settlement.py"
    await asyncio.to_thread(script.write_text, sources.SETTLEMENT)
    with stage.span():
        scheduler.info("settlement started", job="settlement")
        with stage.span() as span:
            env = {"PRODSENTINEL_URL": inventory, "CORRELATION_ID": span.correlation_id}
            ended = await stage.process(sys.executable, str(script), env=env)
            for entry in ended.output.split("ERROR asyncio: ")[1:]:
                agent.error(entry.strip())
        scheduler.info(f"settlement ended with exit code {ended.code}", job="settlement")


async def never_awaited(stage: Stage) -> None:
    """A revision is `async def`: Alembic records it and runs nothing of it."""
    database = stage.scratch / "orders.db"
    sources.write_alembic(stage.scratch, url=f"sqlite:///{database}", upgrade=sources.ASYNC_UPGRADE)
    migrations = stage.telemetry("migrations")
    orders = await _orders_service(stage, f"sqlite:///{database}")
    with stage.span():
        with stage.span():
            done = await stage.process(sys.executable, "-m", "alembic", "upgrade", "head")
            _ship(migrations, done.output)
        await stage.request("POST", f"{orders}/orders")


async def _orders_service(stage: Stage, url: str) -> str:
    @post("/orders", sync_to_thread=True)
    def count() -> int:
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                return int(connection.scalar(text("SELECT count(*) FROM orders")) or 0)
        finally:
            engine.dispose()

    return await stage.service("orders", count)


def _ship(speaker: Telemetry, output: str) -> None:
    """As log agents do: lines with a level by their level, what has none on stderr as an error."""
    lines = output.splitlines()
    for line in lines:
        if line.startswith("INFO"):
            speaker.info(line)
    if rest := [line for line in lines if not line.startswith("INFO")]:
        speaker.error("\n".join(rest))


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(
        name="raw-sql-text",
        shows="a readiness check hands a session a plain string instead of text()",
        root_service="inventory",
        root="ArgumentError",
        run=raw_sql,
    ),
    Scenario(
        name="asyncpg-dsn-scheme",
        shows="asyncpg is given SQLAlchemy's URL, postgresql+asyncpg://",
        root_service="inventory",
        root="ClientConfigurationError",
        run=asyncpg_dsn,
    ),
    Scenario(
        name="uuid-not-json-serializable",
        shows="a receipt puts a uuid.UUID through json.dumps",
        root_service="payment",
        root="TypeError",
        run=uuid_in_json,
    ),
    Scenario(
        name="telemetry-never-arrives",
        shows="a job posts its log records to a neighbour, which answers 404",
        root_service="settlement",
        root="HTTPStatusError",
        run=telemetry_goes_astray,
    ),
    Scenario(
        name="alembic-never-awaited",
        shows="an async upgrade() is recorded as applied, and its table is not there",
        root_service="migrations",
        root="RuntimeWarning",
        run=never_awaited,
    ),
)
