"""Log records as services send them, and the requests that carry them."""

import gzip
import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from scripts.benches.loads import FRESH, request

NDJSON = "application/x-ndjson"
BATCH = 1000
MESSAGES = (
    "order {n} confirmed for customer {u} in {ms} ms",
    "stock of SKU-{n} is now {ms}, reserved for order {u}",
    "published event {u} to topic orders partition 3 offset {n}",
)
ERRORS = (
    "charge of order {n} declined by the issuer after {ms} ms",
    "ConnectionError: payment provider did not answer request {u} within {ms} ms",
)


def record(level: str) -> dict[str, Any]:
    """About 430 bytes, as a service in the middle of a request sends them."""
    choose: Callable[[Any], Any] = random.choice
    shapes = ERRORS if level == "ERROR" else MESSAGES
    return {
        "service": choose(("gateway", "payment", "inventory")),
        "level": level,
        "message": choose(shapes).format(
            n=random.randrange(10**6),
            u=uuid.uuid4(),
            ms=random.randrange(5000),
        ),
        "timestamp": datetime.now(UTC).isoformat(),
        "correlation_id": uuid.uuid4().hex,
        "record_id": str(uuid.uuid4()),
        "environment": "bench",
        "release": "2026.11.1",
        "instance": "bench-1",
        "span_id": uuid.uuid4().hex[:16],
        "sequence": random.randrange(10**6),
        "attributes": {"order_id": f"o-{random.randrange(10**6)}", "tenant": "acme"},
    }


def level_of(place: int) -> str:
    """Every fifth record is an error."""
    return "ERROR" if place % 5 == 0 else "INFO"


def ndjson(count: int = BATCH) -> bytes:
    return b"\n".join(msgspec.json.encode(record(level_of(n))) for n in range(count))


def batches(count: int) -> list[bytes]:
    return [ndjson() for _ in range(count)]


def batch_request(body: bytes) -> bytes:
    return request("/ingest/logs", body, NDJSON)


def gzip_request(body: bytes) -> bytes:
    return request("/ingest/logs", gzip.compress(body, 6), NDJSON, Content_Encoding="gzip")


def single_request(level: str) -> bytes:
    return request("/ingest/logs", msgspec.json.encode(record(level)), "application/json")


def singles(count: int, level: str = "") -> list[bytes]:
    """Requests of one record; of the level, or every fifth an error."""
    return [single_request(level or level_of(n)) for n in range(count)]


def fresh_single(place: int) -> bytes:
    """A request that the sender makes another of each time it sends it."""
    return request("/ingest/logs", _fresh(place, 0), "application/json")


def fresh_batch(count: int) -> bytes:
    return request("/ingest/logs", b"\n".join(_fresh(n, n) for n in range(count)), NDJSON)


def _fresh(place: int, number: int) -> bytes:
    digits = FRESH.decode()
    made = record(level_of(place))
    made["record_id"] = f"{digits}-0000-4000-8000-{number:012x}"
    made["correlation_id"] = f"{digits}{uuid.uuid4().hex[:24]}"
    return msgspec.json.encode(made)
