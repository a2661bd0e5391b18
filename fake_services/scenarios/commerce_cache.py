"""The scenario of `commerce-operations.md` about a cache."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from litestar import post
from litestar.params import FromPath
from sqlalchemy import create_engine, text

from fake_services.scenarios.model import Scenario
from fake_services.scenarios.stage import Stage
from fake_services.service import InContext


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

    async def change(self, product: int, *, tell: Callable[[], Awaitable[object]]) -> None:
        """One version further; others are told of it within the transaction, so before it ends."""
        with self.engine.begin() as connection:
            connection.execute(
                text("UPDATE prices SET version = version + 1 WHERE product = :product"),
                {"product": product},
            )
            self._cached.pop(product, None)
            await tell()

    def read(self, product: int) -> int:
        """The version in the cache, which is filled from the database."""
        if product not in self._cached:
            self._cached[product] = self.stored(product)
        return self._cached[product]

    def stored(self, product: int) -> int:
        """The version in the database."""
        asked = text("SELECT version FROM prices WHERE product = :product")
        with self.engine.connect() as connection:
            return int(connection.scalar(asked, {"product": product}) or 0)


async def cache_inconsistency(stage: Stage) -> None:
    """The search index reads the price between the deletion of the cache's copy and the commit."""
    prices = Prices(stage.scratch / "prices.db")
    places: dict[str, str] = {}

    @post("/products/{product:int}/price")
    async def change(product: FromPath[int], context: InContext) -> dict[str, Any]:
        index = f"{places['search']}/products/{product}"
        await prices.change(product, tell=lambda: context.downstream.post(index))
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

    @post("/products/{product:int}")
    async def index(product: FromPath[int], context: InContext) -> dict[str, Any]:
        return await context.downstream.post(f"{catalogue}/products/{product}/offer")

    places["search"] = await stage.service("search", index)

    @post("/orders")
    async def order(context: InContext) -> dict[str, Any]:
        await context.downstream.post(f"{catalogue}/products/77/price")
        return await context.downstream.post(f"{catalogue}/products/77/sale")

    front = await stage.service("storefront", order)
    await stage.request("POST", f"{front}/orders")
    prices.engine.dispose()


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(
        name="cache-inconsistency",
        shows="a cache is emptied before the commit, and filled with the old row again",
        root_service="prices",
        root="StaleCache",
        run=cache_inconsistency,
    ),
)
