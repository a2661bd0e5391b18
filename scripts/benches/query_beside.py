"""Ingest beside the questions: at half of what it can take, and at all of it."""

import random
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Self

import msgspec

from scripts.benches.loads import FRESH, Load, Plan, send
from scripts.benches.query_records import ENVIRONMENT, Line, Shop, errors
from scripts.benches.records import BATCH, batch_request

CONNECTIONS: Final = 4
BODIES: Final = 20
ROUND_SECONDS: Final = 5.0
_SECOND: Final = b"1999-12-31T23:59:59"
_SALT: Final = "5a17ed00"


class Sending:
    """Batches of the shop's records, each time under other identities and with the time of now."""

    def __init__(self, port: int) -> None:
        self.port = port
        shop = Shop(random.randrange(2**32))
        self._bodies = [_body(shop) for _ in range(BODIES)]

    def at_most(self, count: int) -> float:
        """Records a second, when so many batches are sent as fast as they are taken."""
        many = -(-count // BODIES)
        requests = (self._requests() * many)[:count]
        load = send(Plan(ports=(self.port,), requests=requests, connections=CONNECTIONS))
        return load.rate * BATCH

    def at(self, rate: float, seconds: float) -> Load:
        """So many records a second, on schedule."""
        return send(
            Plan(
                ports=(self.port,),
                requests=self._requests(),
                connections=CONNECTIONS,
                rate=rate / BATCH,
                seconds=seconds,
            )
        )

    def _requests(self) -> list[bytes]:
        second = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}".encode()
        salt = f"{random.getrandbits(32):08x}".encode()
        return [
            batch_request(body.replace(_SECOND, second).replace(_SALT.encode(), salt))
            for body in self._bodies
        ]


def _body(shop: Shop) -> bytes:
    records = [
        (number, line)
        for number, lines in enumerate(shop.chains(BATCH))
        for line in lines
    ]  # fmt: skip
    random.shuffle(records)
    chain = f"{shop.random.getrandbits(64):016x}"
    return b"\n".join(
        msgspec.json.encode(_record(place, f"{chain[:12]}{number:04x}", line))
        for place, (number, line) in enumerate(records)
    )


def _record(place: int, chain: str, line: Line) -> dict[str, Any]:
    digits = FRESH.decode()
    record = {
        "service": line.service,
        "level": line.level,
        "message": line.message,
        "timestamp": f"{_SECOND.decode()}.{place:06d}Z",
        "correlation_id": f"{digits}{_SALT}{chain}",
        "record_id": f"{digits}-{_SALT[:4]}-4000-8000-{_SALT}{place:04x}",
        "environment": f"{ENVIRONMENT}-now",
        "release": "2026.11.29",
        "instance": f"{line.service}-1",
        "attributes": msgspec.json.decode(line.attributes),
    }
    if line.error >= 0:
        record["exception"] = errors()[line.error].exception
    return record


class HalfLoad:
    """A thread that keeps the load up until the end of the block."""

    def __init__(self, sending: Sending, rate: float) -> None:
        self.loads: list[Load] = []
        self._sending, self._rate = sending, rate
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        # The first process of a load takes a moment to start.
        time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            self.loads.append(self._sending.at(self._rate, ROUND_SECONDS))


def kept(loads: Sequence[Load], rate: float) -> float:
    """Share of the offered records that were stored on time."""
    stored = sum(load.good for load in loads) * BATCH
    return stored / sum(load.seconds for load in loads) / rate
