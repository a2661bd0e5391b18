"""A thousand services shout the same error: how few incidents, and what it costs the others."""

import importlib.util
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from app.settings import Settings
from scripts.benches.frame import Row
from scripts.benches.ground import Api, CpuMeter, Ground, ask, start_api
from scripts.benches.incidents_failures import Numbering, raised
from scripts.benches.incidents_receiver import Messages, receiver
from scripts.benches.ingest_batches import send_batches
from scripts.benches.records import batches
from scripts.benches.shares import middle, share

SERVICES: Final = 1_000
STORM_BATCH: Final = 250
"""As long as an ordinary batch of a thousand: each record has its stack."""
LONGEST_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.1
BEFORE_DIGEST_SECONDS: Final = 0.5
MESSAGES_SECONDS: Final = 5.0
"""So long after all is digested a message may still come."""
GOAL: Final = 0.9
MOST_ATTEMPTS: Final = 20
AGAIN_SECONDS: Final = 1.0
"""`Retry-After` of a refusal."""
QUIET_SECONDS: Final = Settings().quiet_seconds
HAS_ALERTS: Final = importlib.util.find_spec("app.alerts") is not None
TOO_MANY: Final = "Too many connections"
FRAMES: Final = """\
  File "/app/common/sessions.py", line 58, in open_session
    await connection.execute_command("HELLO", 3)
  File "/usr/lib/python3.12/site-packages/redis/asyncio/connection.py", line 611, in read_response
    raise response from None
"""
WAITING: Final = "SELECT count(*) FROM chain_marks WHERE marked_at <= now()"
STORMED: Final = "FROM incident_chains WHERE root_service LIKE 'shouter-%'"
CHAINS: Final = f"SELECT count(DISTINCT correlation_id) {STORMED}"
INCIDENTS: Final = f"SELECT array_agg(DISTINCT incident_id::text) {STORMED}"
OPENED: Final = (
    f"SELECT count(*) FROM events WHERE kind = 'opened' AND incident_id IN "  # noqa: S608
    f"(SELECT incident_id {STORMED})"
)


class Delivered(msgspec.Struct, frozen=True):
    """What it took until every batch had its 202."""

    seconds: float
    records: int
    refused: int
    """Batches that were sent again: answered 429 or 503, or cut off."""
    cpu: float

    @property
    def rate(self) -> float:
        return self.records / self.seconds


class Turns(msgspec.Struct, frozen=True):
    """An ordinary stream in records/s: before each storm, during its digest, and after it."""

    before: list[float]
    during: list[float]
    after: list[float]
    refused: list[int]
    """Batches sent again, of storms and streams."""
    waiting: list[int]
    """Marks that waited for the digest when the stream of `during` ended."""


def measured(ground: Ground) -> Iterator[Row]:
    """A storm by itself, then smaller ones with an ordinary stream around each."""
    alone, each, turns, stream = (4, 3, 2, 10) if ground.quick else (40, 20, 3, 20)
    allowed = {"PRODSENTINEL_ALERT_PRIVATE_TARGETS": "true"} if HAS_ALERTS else {}
    numbering = Numbering()
    with ground.database("shouting") as url, ground.stack() as stack, receiver() as messages:
        api = start_api(stack, url, **allowed)
        if HAS_ALERTS:
            messages.subscribe(api.port)
        _deliver(api, batches(4))
        _wait_until_digested(url)
        meter = CpuMeter(ground, api)
        yield from _storm_alone(url, api, storm(alone, numbering), meter)
        found = Turns([_stream(api, url, stream).rate], [], [], [], [])
        for _ in range(turns):
            _turn(url, api, storm(each, numbering), stream, found)
        time.sleep(MESSAGES_SECONDS if HAS_ALERTS else 0)
        sent = (alone + each * turns) * SERVICES
        yield from _outcome_rows(url, messages, sent)
    yield from _stream_rows(found)
    yield from meter.rows("shouting: storm alone")


def storm(count: int, numbering: Numbering) -> list[bytes]:
    """So many times each service says it once, for a request of its own."""
    return [
        b"\n".join(
            msgspec.json.encode(_shout(n, numbering)) for n in range(first, first + STORM_BATCH)
        )
        for _ in range(count)
        for first in range(0, SERVICES, STORM_BATCH)
    ]


def _shout(number: int, numbering: Numbering) -> dict[str, Any]:
    service = f"shouter-{number:03}"
    return {
        "service": service,
        "level": "ERROR",
        "message": "no session store",
        "timestamp": datetime.now(UTC).isoformat(),
        "correlation_id": f"req-{uuid.uuid4().hex}",
        "record_id": str(uuid.uuid4()),
        "environment": "bench",
        "release": "2026.11.1",
        "instance": f"{service}-1",
        "span_id": uuid.uuid4().hex[:16],
        "sequence": numbering.next(service),
        "exception": raised("redis.exceptions.MaxClientsError", TOO_MANY, FRAMES),
        "attributes": {"tenant": "acme"},
    }


def _storm_alone(url: str, api: Api, bodies: list[bytes], meter: CpuMeter) -> Iterator[Row]:
    began = time.monotonic()
    with meter.reading():
        load = _deliver(api, bodies)
        accepted = time.monotonic()
        _wait_until_digested(url)
    digested = time.monotonic()
    meter.add(records=load.records, sender=load.cpu)
    chains = ask(url, CHAINS)
    yield Row("shouting: storm accepted", load.rate, "records/s", "", None)
    yield Row("shouting: batches of it sent again", load.refused, "batches", "", None)
    name = f"shouting: from the last 202 until {chains:,} chains are digested"
    yield Row(name, digested - accepted, "s", "", None)
    rate = chains / (digested - began - QUIET_SECONDS)
    yield Row("shouting: digest, from the first settled chain on", rate, "chains/s", "", None)


def _turn(url: str, api: Api, bodies: list[bytes], stream: int, found: Turns) -> None:
    """What came after the last storm came before this one."""
    if found.after:
        found.before.append(found.after[-1])
    made = batches(stream)
    began = time.monotonic()
    sent = _deliver(api, bodies)
    time.sleep(max(0.0, began + QUIET_SECONDS + BEFORE_DIGEST_SECONDS - time.monotonic()))
    during = _deliver(api, made)
    found.waiting.append(ask(url, WAITING))
    _wait_until_digested(url)
    after = _stream(api, url, stream)
    found.during.append(during.rate)
    found.after.append(after.rate)
    found.refused.append(sent.refused + during.refused + after.refused)


def _stream(api: Api, url: str, count: int) -> Delivered:
    load = _deliver(api, batches(count))
    _wait_until_digested(url)
    return load


def _deliver(api: Api, bodies: list[bytes]) -> Delivered:
    """What is refused is sent again, as senders do. Raises when it never gets through."""
    left, seconds, refused, cpu = bodies, 0.0, 0, 0.0
    for _ in range(MOST_ATTEMPTS):
        load = send_batches(api.port, left)
        seconds, cpu = seconds + load.seconds, cpu + load.cpu
        left = [body for n, body in enumerate(left) if n not in load.answered]
        refused += len(left)
        if not left:
            records = sum(body.count(b"\n") + 1 for body in bodies)
            return Delivered(seconds, records, refused, cpu)
        time.sleep(AGAIN_SECONDS)
        seconds += AGAIN_SECONDS
    raise RuntimeError(f"{len(left)} batches were refused {MOST_ATTEMPTS} times")


def _wait_until_digested(url: str) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        if not ask(url, WAITING):
            return
        time.sleep(LOOK_SECONDS)


def _outcome_rows(url: str, messages: Messages, sent: int) -> Iterator[Row]:
    chains = ask(url, CHAINS)
    yield Row("shouting: chains sent", sent, "chains", "", None)
    yield Row("shouting: of them in an incident", chains, "chains", f"{sent:,}", chains == sent)
    found = ask(url, INCIDENTS) or []
    opened = ask(url, OPENED)
    yield Row("shouting: incidents", len(found), "", "1", len(found) == 1)
    yield Row("shouting: events that tell of one opened", opened, "", "1", opened == 1)
    told = sum(map(messages.of_incident, found)) + messages.summaries() if HAS_ALERTS else None
    held = None if told is None else told == 1
    yield Row("shouting: messages that a receiver got of it", told, "", "1", held)


def _stream_rows(found: Turns) -> Iterator[Row]:
    yield middle("shouting: ordinary stream before a storm", found.before, "records/s")
    yield middle("shouting: ordinary stream while one is digested", found.during, "records/s")
    yield middle("shouting: ordinary stream after it", found.after, "records/s")
    yield share("shouting: share during of before", found.during, found.before, GOAL)
    yield share("shouting: share after of before", found.after, found.before, GOAL)
    refused = sum(found.refused)
    yield Row("shouting: batches refused and sent again", refused, "batches", "", None)
    fewest = min(found.waiting)
    name = "shouting: chains that still waited when the stream ended, fewest"
    yield Row(name, fewest, "chains", "> 0", fewest > 0)
