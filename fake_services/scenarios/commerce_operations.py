"""Scenarios of `commerce-operations.md` around databases and logs."""

import asyncio
import time
from typing import Any, Final

from alembic.migration import MigrationContext
from alembic.operations import Operations
from litestar import post
from sqlalchemy import Column, Connection, Engine, Integer, String, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import QueuePool

from fake_services.scenarios.front import front_of
from fake_services.scenarios.model import Scenario
from fake_services.scenarios.stage import Stage
from fake_services.service import Context, InContext

ORDERS: Final = 30
ITEMS: Final = 60_000
RECEIPTS: Final = 200


class Tables(DeclarativeBase):
    """Tables of the shop as the newest code sees them."""


class Order(Tables):
    """An order; its channel came with the latest release."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column()


async def schema_mismatch(stage: Stage) -> None:
    """The release is out, its migration is not: one of two was run."""
    engine = create_engine(f"sqlite:///{stage.scratch / 'orders.db'}")
    with engine.begin() as connection:
        _first_migration(Operations(MigrationContext.configure(connection)))

    @post("/orders")
    async def list_orders(context: InContext) -> dict[str, Any]:
        with Session(engine) as session:
            found = session.query(Order).all()
        context.telemetry.info("orders listed", orders=len(found))
        return {"orders": len(found)}

    orders = await stage.service("orders", list_orders)

    front = await front_of(stage, "dashboard", f"{orders}/orders")
    await stage.request("POST", front)
    engine.dispose()


def _first_migration(op: Operations) -> None:
    op.create_table("orders", Column("id", Integer, primary_key=True), Column("status", String))


async def pool_exhaustion(stage: Stage) -> None:
    """A report keeps the only connection while it asks pricing, which asks for the orders."""
    engine = create_engine(
        f"sqlite:///{stage.scratch / 'reports.db'}",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=0.5,
        connect_args={"check_same_thread": False},
    )

    places: dict[str, str] = {}

    @post("/report")
    async def report(context: InContext) -> dict[str, Any]:
        connection = await asyncio.to_thread(engine.connect)
        try:
            context.telemetry.info("report begun", rows=connection.scalar(text("SELECT 0")))
            # The connection is kept while somebody else is asked.
            return await context.downstream.post(f"{places['pricing']}/totals")
        finally:
            connection.close()

    @post("/orders")
    async def list_orders(context: InContext) -> dict[str, Any]:
        found = await asyncio.to_thread(_scalar, engine, "SELECT 0")
        context.telemetry.info("orders listed", orders=found)
        return {"orders": found}

    orders = await stage.service("orders", report, list_orders)

    @post("/totals")
    async def add_up(context: InContext) -> dict[str, Any]:
        return await context.downstream.post(f"{orders}/orders")

    places["pricing"] = await stage.service("pricing", add_up)
    front = await front_of(stage, "dashboard", f"{orders}/report")
    await stage.request("POST", front)
    engine.dispose()


def _scalar(engine: Engine, statement: str) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text(statement)) or 0)


async def slow_responses(stage: Stage) -> None:
    """A list of orders asks for the items of each order, and no index helps."""
    engine = create_engine(f"sqlite:///{stage.scratch / 'items.db'}")
    with engine.begin() as connection:
        _fill(connection)

    @post("/api/orders")
    async def list_orders(context: InContext) -> dict[str, Any]:
        shown = await _ask(context, engine, "SELECT id FROM orders ORDER BY id")
        for order in shown:
            of_order = "SELECT name FROM items WHERE order_id = :id"
            await _ask(context, engine, of_order, id=order)
        return {"orders": len(shown)}

    orders = await stage.service("orders", list_orders)

    front = await front_of(stage, "dashboard", f"{orders}/api/orders")
    await stage.request("POST", front)
    engine.dispose()


def _fill(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE orders (id INTEGER PRIMARY KEY)"))
    connection.execute(text("CREATE TABLE items (order_id INTEGER, name TEXT)"))
    orders = [{"id": number} for number in range(ORDERS)]
    connection.execute(text("INSERT INTO orders VALUES (:id)"), orders)
    items = [{"id": number % ORDERS, "name": f"item {number}"} for number in range(ITEMS)]
    connection.execute(text("INSERT INTO items VALUES (:id, :name)"), items)


async def _ask(context: Context, engine: Engine, statement: str, **given: int) -> list[Any]:
    """The first column of what the database answers; says what was asked, and how long it took."""
    started = time.perf_counter()
    found = await asyncio.to_thread(_first_column, engine, statement, given)
    took = round((time.perf_counter() - started) * 1000, 3)
    told: dict[str, str | float] = {"db.statement": statement, "duration_ms": took}
    context.telemetry.info("database answered", rows=len(found), **told)
    return found


def _first_column(engine: Engine, statement: str, given: dict[str, int]) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.scalars(text(statement), given))


class LogRecordsLost(Exception):
    """A service spoke faster than its log records could leave, and dropped some."""


async def missing_logs(stage: Stage) -> None:
    """A job logs more at once than may be on the way; the rest is dropped, numbers and all."""

    @post("/receipts")
    async def print_receipts(context: InContext) -> dict[str, Any]:
        before = context.telemetry.lost
        for number in range(1, RECEIPTS + 1):
            context.telemetry.info(f"receipt {number} printed", receipt=number)
        await context.telemetry.flush()
        return {"printed": RECEIPTS, "dropped": context.telemetry.lost - before}

    receipts = await stage.service(
        "receipts", print_receipts, prodsentinel_url=stage.prodsentinel_url
    )

    @post("/month-ends")
    async def close_month(context: InContext) -> dict[str, Any]:
        told = await context.downstream.post(f"{receipts}/receipts")
        if told["dropped"]:
            raise LogRecordsLost(f"receipts dropped {told['dropped']} log records")
        return told

    front = await stage.service("billing", close_month)
    await stage.request("POST", f"{front}/month-ends")


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(
        name="schema-version-mismatch",
        shows="code reads a column whose Alembic migration was not run",
        root_service="orders",
        root="OperationalError",
        run=schema_mismatch,
    ),
    Scenario(
        name="connection-pool-exhaustion",
        shows="a QueuePool of one connection, kept during a call that needs one itself",
        root_service="orders",
        root="TimeoutError",
        run=pool_exhaustion,
    ),
    Scenario(
        name="slow-api-responses",
        shows="one request runs the same unindexed SELECT for each of its rows",
        root_service="orders",
        root="",
        run=slow_responses,
    ),
    Scenario(
        name="missing-logs",
        shows="a burst of numbered log records, of which most are dropped and never arrive",
        root_service="billing",
        root="LogRecordsLost",
        run=missing_logs,
    ),
)
