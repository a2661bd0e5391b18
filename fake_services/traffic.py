"""A gentle stream of orders: most are good, and every deck of twenty holds each fault."""

import asyncio
import random
import signal
from collections.abc import Iterator
from typing import Final

import httpx
import msgspec
import structlog

DECK: Final = {"order": 15, "raw-sql": 2, "uuid-json": 1, "bad-dsn": 1, "mystery": 1}
MOST_IN_FLIGHT: Final = 20
CHECKOUT_TIMEOUT: Final = 10.0

log = structlog.get_logger()


class Tally(msgspec.Struct):
    """How the orders of one run went."""

    good: int = 0
    failed: int = 0
    unanswered: int = 0
    skipped: int = 0
    """Orders not sent because too many others were waiting for their answer."""


def orders(chance: random.Random) -> Iterator[str]:
    """Order IDs without end."""
    deck = [prefix for prefix, copies in DECK.items() for _ in range(copies)]
    while True:
        chance.shuffle(deck)
        for prefix in deck:
            yield f"{prefix}-{chance.randrange(1_000_000):06d}"


async def stream(gateway: str, *, rate: float, seconds: float | None) -> Tally:
    """Send `rate` orders a second until `seconds` are over or the process is told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    tally = Tally()
    # An order's number is no secret, and a simulation wants speed.
    ids = orders(random.Random())  # noqa: S311
    async with (
        httpx.AsyncClient(base_url=gateway, timeout=CHECKOUT_TIMEOUT, trust_env=False) as client,
        asyncio.TaskGroup() as group,
    ):
        slots = asyncio.Semaphore(MOST_IN_FLIGHT)
        while not stop.is_set():
            if slots.locked():
                tally.skipped += 1
            else:
                await slots.acquire()
                group.create_task(_check_out(client, next(ids), slots, tally))
            await _wait(stop, 1 / rate)
    log.info("traffic_ended", **msgspec.to_builtins(tally))
    return tally


async def _check_out(
    client: httpx.AsyncClient, order_id: str, slots: asyncio.Semaphore, tally: Tally
) -> None:
    try:
        answer = await client.post(f"/checkout/{order_id}")
    except httpx.HTTPError as error:
        tally.unanswered += 1
        log.warning("checkout_unanswered", order_id=order_id, reason=type(error).__name__)
    else:
        if answer.is_success:
            tally.good += 1
        else:
            tally.failed += 1
    finally:
        slots.release()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
