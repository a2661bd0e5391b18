"""Which order hits which fault; the faults themselves live where they happen."""

from enum import StrEnum


class Fault(StrEnum):
    """A way for an order to fail, named by the prefix of its order ID."""

    RAW_SQL = "raw-sql"
    BAD_DSN = "bad-dsn"
    UUID_JSON = "uuid-json"
    MYSTERY = "mystery"


def fault_of(order_id: str) -> Fault | None:
    """The fault that this order hits; None for a good order."""
    return next((fault for fault in Fault if order_id.startswith(f"{fault}-")), None)
