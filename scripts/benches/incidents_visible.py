"""How soon after its 202 a failing chain is an incident with its match, under a steady load."""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec
import psutil

from app.database import asyncpg_dsn
from app.settings import Settings
from scripts.benches.frame import Row
from scripts.benches.ground import Api, Ground, ask, cpu_seconds, start_api
from scripts.benches.incidents_failures import CAUSES, ROOT_SERVICE, Checkout, Numbering
from scripts.benches.loads import Load, Plan, percentile, request, send
from scripts.benches.records import NDJSON
from scripts.benches.shares import below

ERRORS_A_SECOND: Final = 2_000
ERRORS_A_CHAIN: Final = 3
CHUNK: Final = 50
"""Chains whose records lie in the same four requests, one of each service."""
SERVICES: Final = ("gateway", "payment", "pricing", "inventory")
CHUNKS_A_SECOND: Final = ERRORS_A_SECOND / ERRORS_A_CHAIN / CHUNK
CONNECTIONS: Final = 8
WATCHED: Final = 20
"""One chain of so many is looked for."""
LOOK_SECONDS: Final = 0.05
PATIENCE_SECONDS: Final = 60.0
P50_SECONDS, P99_SECONDS = 1, 3
QUIET_SECONDS: Final = Settings().quiet_seconds
LEAST_SHARE: Final = 0.99
# Committed, or another connection would not see it; the match is written with the incident.
VISIBLE: Final = """
    SELECT chain.correlation_id, chain.root_service, matches.known_issue_id IS NOT NULL AS known
    FROM unnest($1::text[]) AS wanted (correlation_id)
    JOIN incident_chains AS chain USING (correlation_id)
    JOIN matches ON matches.signature_id = chain.root_signature_id
"""
INCIDENTS: Final = "SELECT count(DISTINCT incident_id) FROM incident_chains"


class Seen(msgspec.Struct, frozen=True):
    """When an incident was there at the latest, as `time.time` tells it, and what it says."""

    at: float
    root_service: str
    known: bool


def measured(ground: Ground) -> Iterator[Row]:
    """A steady stream of failing checkouts, sent by a process of its own on schedule."""
    chunks = round((5 if ground.quick else 30) * CHUNKS_A_SECOND)
    with ground.database("visible") as url, ground.stack() as stack:
        api = start_api(stack, url)
        numbering = Numbering()
        asyncio.run(_sent_and_seen(url, api, failing(1, numbering)))
        chains = failing(chunks, numbering)
        watched = random.sample(range(len(chains)), len(chains) // WATCHED)
        processes = {"API": psutil.Process(api.pid), "PostgreSQL": ground.postgres()}
        before = {name: cpu_seconds(process) for name, process in processes.items()}
        load, seen = asyncio.run(_sent_and_seen(url, api, chains, watched))
        spent = {name: cpu_seconds(p) - before[name] for name, p in processes.items()}
        incidents = ask(url, INCIDENTS)
    yield from _rate_rows(load, chunks)
    yield from _delay_rows(load, seen, watched)
    yield from _right_rows(chains, seen, watched)
    yield Row("visible: incidents", incidents, "", f"{len(CAUSES)}", incidents == len(CAUSES))
    for name, seconds in spent.items():
        yield Row(f"visible: CPU of {name}", seconds, "s", "", None)


def failing(chunks: int, numbering: Numbering) -> list[Checkout]:
    """Chains of every cause in turns, as late as they will be sent."""
    begin = datetime.now(UTC) + timedelta(seconds=2)
    return [
        Checkout(
            CAUSES[n % len(CAUSES)],
            begin + timedelta(seconds=n / CHUNK / CHUNKS_A_SECOND),
            numbering,
        )
        for n in range(chunks * CHUNK)
    ]


def requests_of(chains: Sequence[Checkout]) -> list[bytes]:
    """Each service sends its records of fifty chains as one batch: of 50 or 100 records."""
    requests = []
    for first in range(0, len(chains), CHUNK):
        lines: dict[str, list[bytes]] = {service: [] for service in SERVICES}
        for chain in chains[first : first + CHUNK]:
            for record in chain.records():
                lines[record["service"]].append(msgspec.json.encode(record))
        requests += [request("/ingest/logs", b"\n".join(own), NDJSON) for own in lines.values()]
    return requests


async def _sent_and_seen(
    url: str, api: Api, chains: list[Checkout], watched: Sequence[int] = (0,)
) -> tuple[Load, dict[int, Seen]]:
    plan = Plan(
        ports=(api.port,),
        requests=requests_of(chains),
        connections=CONNECTIONS,
        rate=CHUNKS_A_SECOND * len(SERVICES),
    )
    sending = asyncio.create_task(asyncio.to_thread(send, plan))
    connection = await asyncpg.connect(asyncpg_dsn(url))
    try:
        seen = await _watch(connection, {chains[n].correlation_id: n for n in watched}, len(chains))
    finally:
        await connection.close()
        load = await sending
    return load, seen


async def _watch(connection: Any, wanted: dict[str, int], count: int) -> dict[int, Seen]:
    """Look for those that may have been sent, again and again, until all are there."""
    seen: dict[int, Seen] = {}
    a_second = CHUNKS_A_SECOND * CHUNK
    began = time.monotonic()
    deadline = began + count / a_second + PATIENCE_SECONDS
    while len(seen) < len(wanted) and (now := time.monotonic()) < deadline:
        sent = CHUNK + (now - began) * a_second
        names = [name for name, n in wanted.items() if n not in seen and n < sent]
        rows = await connection.fetch(VISIBLE, names)
        at = time.time()
        for name, root_service, known in rows:
            seen.setdefault(wanted[name], Seen(at, root_service, known))
        await asyncio.sleep(LOOK_SECONDS)
    return seen


def _rate_rows(load: Load, chunks: int) -> Iterator[Row]:
    errors = load.good / len(SERVICES) * CHUNK * ERRORS_A_CHAIN / load.seconds
    least = ERRORS_A_SECOND * LEAST_SHARE
    yield Row(
        "visible: errors answered 202, on schedule",
        errors,
        "records/s",
        f">= {least:,.0f}",
        errors >= least and load.good == chunks * len(SERVICES),
    )
    yield Row("visible: with them INFO, in all", errors * 2, "records/s", "", None)
    yield Row("visible: batch, p99", load.percentile(0.99) * 1000, "ms", "", None)


def _delay_rows(load: Load, seen: dict[int, Seen], watched: Sequence[int]) -> Iterator[Row]:
    delays = []
    for n in watched:
        first = n // CHUNK * len(SERVICES)
        times = [load.answered.get(first + k, float("inf")) for k in range(len(SERVICES))]
        found = seen.get(n)
        # What was never seen, or never taken, counts as never visible.
        taken = max(times) < float("inf")
        delays.append(found.at - max(times) - QUIET_SECONDS if found and taken else float("inf"))
    yield Row("visible: chains looked for", len(watched), "", "", None)
    name = f"visible: from 202 to incident and match, less {QUIET_SECONDS:g} s of quiet"
    for part, goal in ((0.5, P50_SECONDS), (0.99, P99_SECONDS)):
        yield below(f"{name}, p{part * 100:.0f}", percentile(delays, part), "s", goal)
    yield Row(f"{name}, longest", max(delays), "s", "", None)
    times = sorted(found.at for found in seen.values())
    rate = len(times) * WATCHED / (times[-1] - times[0]) if len(times) > 1 else None
    yield Row("visible: from the first to the last digested", rate, "chains/s", "", None)


def _right_rows(
    chains: Sequence[Checkout], seen: dict[int, Seen], watched: Sequence[int]
) -> Iterator[Row]:
    right = {
        "root service": sum(one.root_service == ROOT_SERVICE for one in seen.values()),
        "known or not": sum(one.known == chains[n].cause.kind.known for n, one in seen.items()),
    }
    for what, count in right.items():
        value = count / len(watched)
        yield Row(f"visible: share with the right {what}", value, "x", "1", value == 1)
