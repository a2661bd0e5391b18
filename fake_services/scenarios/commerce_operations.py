"""Scenarios of `commerce-operations.md` around databases, caches and logs."""

import asyncio
import time
from pathlib import Path
from typing import Any, Final

from alembic.migration import MigrationContext
from alembic.operations import Operations
from litestar import post
from litestar.params import FromPath
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
    """A report keeps the only connection, and the request beside it waits in vain."""
    engine = create_engine(
        f"sqlite:///{stage.scratch / 'reports.db'}",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=0.5,
        connect_args={"check_same_thread": False},
    )

    @post("/report")
    async def report(context: InContext) -> dict[str, Any]:
        connection = await asyncio.to_thread(engine.connect)
        try:
            context.telemetry.info("report begun")
            await asyncio.sleep(1.5)  # it asks another service, and keeps its connection
            return {"rows": connection.scalar(text("SELECT 0"))}
        finally:
            connection.close()

    @post("/orders")
    async def list_orders(context: InContext) -> dict[str, Any]:
        orders = await asyncio.to_thread(_scalar, engine, "SELECT 0")
        context.telemetry.info("orders listed", orders=orders)
        return {"orders": orders}

    database_user = await stage.service("orders", report, list_orders)

    @post("/dashboard")
    async def show(context: InContext) -> dict[str, Any]:
        reporting = asyncio.create_task(context.downstream.post(f"{database_user}/report"))
        await asyncio.sleep(0.2)
        try:
            return await context.downstream.post(f"{database_user}/orders")
        finally:
            await reporting

    front = await stage.service("dashboard", show)
    await stage.request("POST", f"{front}/dashboard")
    engine.dispose()


def _scalar(engine: Engine, statement: str, **given: int) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text(statement), given) or 0)


class StaleCache(Exception):
    """The cache holds another version of a row than the database."""


class Prices:
    """Prices in a database, with a cache before it that is emptied before the commit."""

    def __init__(self, path: Path) -> None:
        self.engine = create_engine(f"sqlite:///{path}")
        self._cached: dict[int, int] = {}
        with self.engine.begin() as connection:
            connection.execute(text("PRAGMA journal_mode=WAL"))
            connection.execute(text("CREATE TABLE prices (product INTEGER, version INTEGER)"))
            connection.execute(text("INSERT INTO prices VALUES (77, 1)"))

    async def change(self, product: int) -> None:
        """One version further; readers see it when this is done."""
        with self.engine.begin() as connection:
            connection.execute(
                text("UPDATE prices SET version = version + 1 WHERE product = :product"),
                {"product": product},
            )
            self._cached.pop(product, None)
            await asyncio.sleep(0.2)  # the search index is told within the transaction

    def read(self, product: int) -> int:
        """The version in the cache, which is filled from the database."""
        if product not in self._cached:
            self._cached[product] = self.stored(product)
        return self._cached[product]

    def stored(self, product: int) -> int:
        """The version in the database."""
        return _scalar(self.engine, "SELECT version FROM prices WHERE product = :id", id=product)


async def cache_inconsistency(stage: Stage) -> None:
    """The price is read between the deletion of the cache's copy and the commit."""
    prices = Prices(stage.scratch / "prices.db")

    @post("/products/{product:int}/price")
    async def change(product: FromPath[int], context: InContext) -> dict[str, Any]:
        await prices.change(product)
        context.telemetry.info("price changed", version=prices.stored(product))
        return {"changed": True}

    @post("/products/{product:int}/offer", sync_to_thread=False)
    def offer(product: FromPath[int], context: InContext) -> dict[str, Any]:
        context.telemetry.info("price offered", version=prices.read(product))
        return {"offered": True}

    @post("/products/{product:int}/sale", sync_to_thread=False)
    def sell(product: FromPath[int]) -> dict[str, Any]:
        cached, stored = prices.read(product), prices.stored(product)
        if cached != stored:
            versions = f"cached version {cached}, database version {stored}"
            raise StaleCache(f"price of product {product}: {versions}")
        return {"sold": True}

    catalogue = await stage.service("prices", change, offer, sell)

    @post("/orders")
    async def order(context: InContext) -> dict[str, Any]:
        product = f"{catalogue}/products/77"
        changing = asyncio.create_task(context.downstream.post(f"{product}/price"))
        await asyncio.sleep(0.1)
        await context.downstream.post(f"{product}/offer")
        await changing
        return await context.downstream.post(f"{product}/sale")

    front = await stage.service("storefront", order)
    await stage.request("POST", f"{front}/orders")
    prices.engine.dispose()


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
        shows="a QueuePool of one connection, which a report keeps for 1.5 s",
        root_service="orders",
        root="TimeoutError",
        run=pool_exhaustion,
    ),
    Scenario(
        name="cache-inconsistency",
        shows="a cache is emptied before the commit, and filled with the old row again",
        root_service="prices",
        root="StaleCache",
        run=cache_inconsistency,
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
