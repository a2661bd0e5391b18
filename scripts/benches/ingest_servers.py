"""Which server to run on: uvicorn, granian or hypercorn, one worker each, the same application."""

import contextlib
import statistics
import time
from collections.abc import Iterator
from typing import Final

import msgspec
import psutil

from scripts.benches.frame import Row
from scripts.benches.ground import (
    Api,
    Ground,
    server_command,
    start_bare,
    wait_until_settled,
)
from scripts.benches.ingest_batches import send_batches
from scripts.benches.ingest_singles import WARM_UP, send_singles
from scripts.benches.records import BATCH, batches, singles
from scripts.benches.server_probes import Manners, manners
from scripts.benches.shares import middle
from scripts.stack import Stack, free_ports, wait_until_ready

SERVERS: Final = ("uvicorn", "granian", "hypercorn")
MIB: Final = 2**20
APPLICATION: Final = "scripts.benches.application:make"


class Rates(msgspec.Struct, frozen=True):
    """A second, turn by turn: single records and batches of the service, and the bare handler."""

    single: list[float]
    batch: list[float]
    bare: list[float]


def measured(ground: Ground) -> Iterator[Row]:
    """All of them side by side, one at a time under load, in turns."""
    turns, many, few = (2, 1_000, 8) if ground.quick else (5, 6_000, 40)
    rates = {server: Rates([], [], []) for server in SERVERS}
    with ground.database("servers") as url, ground.stack() as stack:
        started = {server: _start(stack, url, server) for server in SERVERS}
        bare = {server: start_bare(stack, server) for server in SERVERS}
        for port in [api.port for api, _ in started.values()] + [b.port for b in bare.values()]:
            send_singles((port,), singles(WARM_UP))
        for _ in range(turns):
            requests = singles(many)
            for server in SERVERS:
                found = rates[server]
                port = started[server][0].port
                found.bare.append(send_singles((bare[server].port,), requests).rate)
                found.single.append(send_singles((port,), singles(many)).rate)
                found.batch.append(send_batches(port, batches(few)).rate * BATCH)
        memory = {server: _memory(api.pid) for server, (api, _) in started.items()}
        behaves = {server: manners(stack, server, ground.data) for server in SERVERS}
    for server in SERVERS:
        yield from _rate_rows(server, rates[server])
        yield Row(f"{server}: from start to ready", started[server][1], "s", "", None)
        yield Row(f"{server}: resident memory after that", memory[server], "MB", "", None)
        yield from _manner_rows(server, behaves[server])
    yield _choice(rates, behaves)


def _start(stack: Stack, url: str, server: str) -> tuple[Api, float]:
    """The service, and the seconds until it was ready."""
    (port,) = free_ports(1)
    begun = time.monotonic()
    process = stack.start(
        server,
        *server_command(server, APPLICATION, port),
        DATABASE_URL=url,
        PRODSENTINEL_LOG_LEVEL="warning",
    )
    wait_until_ready(process, f"http://127.0.0.1:{port}/ingest/health")
    seconds = time.monotonic() - begun
    wait_until_settled(process, port)
    return Api(process, port), seconds


def _memory(pid: int) -> float:
    """Of the process and its workers."""
    total = 0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total / MIB


def _rate_rows(server: str, rates: Rates) -> Iterator[Row]:
    yield middle(f"{server}: bare handler, single records", rates.bare, "1/s")
    yield middle(f"{server}: service, single records", rates.single, "1/s")
    yield middle(f"{server}: service, NDJSON of 1,000", rates.batch, "records/s")


def _manner_rows(server: str, found: Manners) -> Iterator[Row]:
    yield Row(f"{server}: from SIGTERM to its end", found.stop_seconds, "s", "", None)
    for what, holds in (
        ("request under way at SIGTERM is answered", found.answers_when_stopped),
        ("lifespan is ended", found.closes),
        ("application learns of a body cut off", found.sees_disconnect),
    ):
        yield Row(f"{server}: {what}", float(holds), "1 = yes", "1", holds)
    yield Row(f"{server}: taken of a body nobody reads", found.taken_unread_mb, "MB", "", None)
    left = found.left_after_kill
    yield Row(f"{server}: processes left after kill -9", left, "", "0", left == 0)


def _choice(rates: dict[str, Rates], behaves: dict[str, Manners]) -> Row:
    """The fastest with single records of those that keep what was promised when they end."""
    fit = [s for s in SERVERS if _is_fit(behaves[s])] or list(SERVERS)
    best = max(fit, key=lambda server: statistics.median(rates[server].single))
    others = "; ".join(f"{s}: {_why_not(s, best, rates, behaves[s])}" for s in SERVERS if s != best)
    value = statistics.median(rates[best].single)
    return Row(f"choice: {best}, the fastest that ends well ({others})", value, "1/s", "", None)


def _is_fit(found: Manners) -> bool:
    return (
        found.answers_when_stopped
        and found.closes
        and found.sees_disconnect
        and not found.left_after_kill
    )


def _why_not(server: str, best: str, rates: dict[str, Rates], found: Manners) -> str:
    reasons = {
        "cuts requests off at SIGTERM": not found.answers_when_stopped,
        "does not end the lifespan": not found.closes,
        "hides that a client left": not found.sees_disconnect,
        "leaves a worker behind after kill -9": bool(found.left_after_kill),
    }
    pairs = zip(rates[server].single, rates[best].single, strict=True)
    ratio = statistics.median(a / b for a, b in pairs)
    return ", ".join([f"{ratio:.2f} of its rate", *(why for why, so in reasons.items() if so)])
