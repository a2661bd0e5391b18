"""Payment: prices an order, has its goods reserved, and issues the receipt."""

import json
import uuid
from decimal import Decimal
from typing import Any, Final

from litestar import Litestar, post
from litestar.params import FromPath

from fake_services.faults import Fault, fault_of
from fake_services.service import InContext, build_service
from fake_services.settings import Settings

NET_PRICE: Final = Decimal("49.90")
CENT: Final = Decimal("0.01")
VAT_PERCENT: Final = {"AT": 20, "DE": 19, "FR": 20}


@post("/payments/{order_id:str}")
async def pay(order_id: FromPath[str], context: InContext) -> dict[str, Any]:
    """Takes the money; answers the receipt."""
    amount = price(country_of(order_id))
    context.telemetry.info(f"order {order_id} priced", order_id=order_id, amount=str(amount))
    await context.downstream.post(f"{context.settings.inventory_url}/reservations/{order_id}")
    receipt = write_receipt(order_id, amount)
    context.telemetry.info(f"order {order_id} paid", order_id=order_id)
    return {"receipt": receipt, "amount": str(amount)}


def country_of(order_id: str) -> str:
    """Where the order goes; the mystery is a country that nobody entered in the tax table."""
    return "XK" if fault_of(order_id) is Fault.MYSTERY else "DE"


def price(country: str) -> Decimal:
    """Gross price of an order to `country`; raises `KeyError` for a country without VAT."""
    gross = NET_PRICE * (100 + VAT_PERCENT[country]) / 100
    return gross.quantize(CENT)


def write_receipt(order_id: str, amount: Decimal) -> str:
    """The receipt as JSON text; forgets, for some orders, that JSON knows no UUID."""
    number = uuid.uuid4()
    identity = number if fault_of(order_id) is Fault.UUID_JSON else str(number)
    return json.dumps({"receipt_id": identity, "order_id": order_id, "amount": str(amount)})


def create_app(settings: Settings) -> Litestar:
    """The payment service."""
    return build_service(settings, [pay])
