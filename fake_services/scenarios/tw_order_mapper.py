"""The mapping from a partner's orders (TW) to the canonical ones; it trusts every TW order.

TW writes an empty string where it has no date. That is a valid string for `TWOrder`.
"""

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel


class TWOrder(BaseModel):
    """An order as the partner sends it."""

    id: str
    ship_date: str | None = None
    total: str


class CanonicalOrder(BaseModel):
    """An order as the shop knows it."""

    order_id: str
    placed_at: datetime | None
    total: Decimal


def to_canonical(tw: TWOrder) -> CanonicalOrder:
    """Raises pydantic's `ValidationError` for what the mapping did not foresee."""
    values = {"order_id": tw.id, "placed_at": tw.ship_date, "total": tw.total}
    return CanonicalOrder.model_validate(values)
