"""Inventory: reserves the goods of an order."""

from typing import Any

import asyncpg
from litestar import Litestar, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from fake_services.faults import Fault, fault_of
from fake_services.service import InContext, build_service
from fake_services.settings import Settings


@post("/reservations/{order_id:str}")
async def reserve(order_id: FromPath[str], context: InContext) -> dict[str, Any]:
    """Puts the goods aside; good orders are served from memory."""
    match fault_of(order_id):
        case Fault.RAW_SQL:
            await check_database(context.settings.database_url)
        case Fault.BAD_DSN:
            await read_stock(context.settings.database_url)
    context.telemetry.info(f"goods of order {order_id} reserved", order_id=order_id)
    return {"order_id": order_id, "reserved": True}


async def check_database(url: str) -> None:
    """Asks the database for a sign of life, with the mistake this service is here to make."""
    engine = create_async_engine(url)
    try:
        async with AsyncSession(engine) as session:
            await session.execute("SELECT 1")  # type: ignore[call-overload]
    finally:
        await engine.dispose()


async def read_stock(url: str) -> None:
    """Goes past SQLAlchemy to the driver, but with SQLAlchemy's URL."""
    connection = await asyncpg.connect(url, timeout=1)
    await connection.close()


def create_app(settings: Settings) -> Litestar:
    """The inventory service."""
    return build_service(settings, [reserve])
