"""Checkouts that fail in inventory, as the log records of four or five services tell it."""

import itertools
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

ROOT_SERVICE: Final = "inventory"
_VERBS: Final = ("reserve", "release", "count", "move", "restock", "price", "audit", "pick", "ship",
                 "expire")  # fmt: skip
_NOUNS: Final = ("bins", "pallets", "shelves", "parcels", "returns")
_LIBRARY: Final = "/usr/lib/python3.12/site-packages"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A way in which inventory fails; each function that fails so is a root of its own."""

    type: str
    message: str
    frame: str
    """Of the library that raises it; empty: raised by the function itself."""
    known: bool
    """Whether the default catalogue explains it."""


KINDS: Final = (
    Kind(
        type="sqlalchemy.exc.ArgumentError",
        message="Textual SQL expression 'SELECT sku, quantity FROM...' should be explicitly "
        "declared as text('SELECT sku, quantity FROM...')",
        frame=f'  File "{_LIBRARY}/sqlalchemy/sql/coercions.py", line 601, in _no_text_coercion\n'
        "    raise exc_cls(\n",
        known=True,
    ),
    Kind(
        type="asyncpg.exceptions._base.ClientConfigurationError",
        message='invalid DSN: scheme is expected to be either "postgresql" or "postgres", '
        "got 'postgresql+asyncpg'",
        frame=f'  File "{_LIBRARY}/asyncpg/connect_utils.py", line 322, in '
        "_parse_connect_dsn_and_args\n    raise exceptions.ClientConfigurationError(\n",
        known=True,
    ),
    Kind(type="KeyError", message="'shelf_code'", frame="", known=False),
    Kind(
        type="inventory.errors.StockWentNegative",
        message="stock of SKU-{n} would be -{few} after this",
        frame="",
        known=False,
    ),
)


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One of two hundred root signatures."""

    kind: Kind
    function: str
    module: str

    def exception(self) -> dict[str, str]:
        few, many = random.randrange(1, 9), random.randrange(10**6)
        message = self.kind.message.format(n=many, few=few)
        return raised(
            self.kind.type,
            message,
            f'  File "/app/inventory/{self.module}.py", line 41, in {self.function}\n'
            f"    return await self._{self.function}(order)\n{self.kind.frame}",
        )


CAUSES: Final = tuple(
    Cause(kind=kind, function=f"{verb}_{noun}", module=noun)
    for kind, verb, noun in itertools.product(KINDS, _VERBS, _NOUNS)
)


def raised(type_: str, message: str, frames: str) -> dict[str, str]:
    stack = f"Traceback (most recent call last):\n{frames}{type_}: {message}\n"
    return {"type": type_, "message": message, "stacktrace": stack}


class Numbering:
    """Records of an instance are numbered as its service sends them."""

    def __init__(self) -> None:
        self._sent: Counter[str] = Counter()

    def next(self, service: str) -> int:
        self._sent[service] += 1
        return self._sent[service]


class Checkout:
    """One failing chain; gateway calls payment, that calls pricing and inventory, which fails."""

    def __init__(self, cause: Cause, at: datetime, numbering: Numbering) -> None:
        self.correlation_id = f"req-{uuid.uuid4().hex}"
        self.cause = cause
        self._at = at
        self._numbering = numbering
        self._order = f"o-{random.randrange(10**6)}"
        names = ("gateway", "payment", "pricing", "inventory", "notifications")
        self._spans = {name: uuid.uuid4().hex[:16] for name in names}

    def records(self) -> Iterator[dict[str, Any]]:
        """Three INFO and three errors, in their order."""
        yield self.record("gateway", 0, f"checkout of order {self._order} began")
        yield self.record("payment", 2, f"order {self._order} is to be paid")
        yield self.record("pricing", 5, f"order {self._order} costs 129.90 EUR")
        yield from self.errors(8)

    def errors(self, after: float) -> Iterator[dict[str, Any]]:
        """Inventory's own, and what payment and gateway say of it, from so many ms on."""
        place = self.cause.function.replace("_", " ")
        yield self.record(
            "inventory", after, f"could not {place}", self.cause.exception(), status=500
        )
        for name, callee, status in (("payment", "inventory", 500), ("gateway", "payment", 502)):
            after += 3
            told = self._passed_on(name, callee, status)
            yield self.record(name, after, f"{callee} answered {status}", told, status=502)

    def _passed_on(self, caller: str, callee: str, status: int) -> dict[str, str]:
        reason = {500: "Internal Server Error", 502: "Bad Gateway"}[status]
        return raised(
            "httpx.HTTPStatusError",
            f"Server error '{status} {reason}' for url 'http://{callee}:8080/orders/{self._order}'",
            f'  File "/app/{caller}/calls.py", line 27, in call_{callee}\n'
            "    answer.raise_for_status()\n"
            f'  File "{_LIBRARY}/httpx/_models.py", line 829, in raise_for_status\n'
            "    raise HTTPStatusError(message, request=request, response=self)\n",
        )

    def record(
        self,
        service: str,
        after: float,
        message: str,
        exception: dict[str, str] | None = None,
        status: int = 0,
    ) -> dict[str, Any]:
        """`after` in ms since the chain began; an error when there is an exception."""
        parents = {"payment": "gateway", "gateway": ""}
        made: dict[str, Any] = {
            "service": service,
            "level": "ERROR" if exception else "INFO",
            "message": message,
            "timestamp": (self._at + timedelta(milliseconds=after)).isoformat(),
            "correlation_id": self.correlation_id,
            "record_id": str(uuid.uuid4()),
            "environment": "bench",
            "release": "2026.11.1",
            "instance": f"{service}-1",
            "span_id": self._spans[service],
            "sequence": self._numbering.next(service),
            "attributes": {"order_id": self._order, "tenant": "acme"},
        }
        if parent := parents.get(service, "payment"):
            made["parent_span_id"] = self._spans[parent]
        if exception:
            made["exception"] = exception
            made["attributes"]["http.response.status_code"] = status
        return made
