"""The API gateway: the shop's front door."""

from typing import Any

from litestar import Litestar, post
from litestar.exceptions import ClientException
from litestar.params import FromPath

from fake_services.service import InContext, build_service
from fake_services.settings import Settings

LONGEST_ORDER_ID = 80


@post("/checkout/{order_id:str}")
async def checkout(order_id: FromPath[str], context: InContext) -> dict[str, Any]:
    """Pays for the order; answers its receipt."""
    if not is_order_id(order_id):
        raise ClientException("an order ID is 1 to 80 letters, digits, `-` and `_`")
    receipt = await context.downstream.post(f"{context.settings.payment_url}/payments/{order_id}")
    context.telemetry.info(f"order {order_id} checked out", order_id=order_id)
    return {"order_id": order_id, "status": "confirmed", "receipt": receipt}


def is_order_id(text: str) -> bool:
    """Whether `text` may stand in the path of the calls that follow."""
    plain = text.replace("-", "").replace("_", "")
    return plain.isascii() and plain.isalnum() and len(text) <= LONGEST_ORDER_ID


def create_app(settings: Settings) -> Litestar:
    """The gateway."""
    return build_service(settings, [checkout])
