"""Ten times the load it can take: what it keeps in memory, what it refuses, what it stores."""

import asyncio
import statistics
import threading
from collections.abc import Iterator
from typing import Final, Self

import asyncpg
import msgspec
import psutil

from app.database import asyncpg_dsn
from scripts.benches.frame import Row
from scripts.benches.ground import Api, CpuMeter, Ground, start_api
from scripts.benches.loads import Load, Plan, percentile, send
from scripts.benches.records import fresh_batch, fresh_single
from scripts.benches.shares import below

TIMES: Final = 10
CONNECTIONS: Final = 512
PATIENCE_SECONDS: Final = 0.5
"""As long as a sender of telemetry waits."""
SAMPLE_SECONDS: Final = 0.5
SINGLES, BATCHES, BATCH = 46, 4, 500
"""Of every fifty requests; the batches hold nearly all of the records."""
MOST_MEMORY_MB: Final = 300
MOST_GROWTH_MB: Final = 30
MIB: Final = 2**20
# The record IDs of one request begin alike and end in its records' places.
STORED: Final = """
    SELECT left(record_id::text, 8), count(*), count(DISTINCT record_id)
    FROM log_records WHERE environment = 'bench' GROUP BY 1
"""


class Stored(msgspec.Struct, frozen=True):
    """Records answered with 202 that are missing, and records that stand there more than once."""

    missing: int
    doubled: int


def measured(ground: Ground) -> Iterator[Row]:
    """First the rate it takes, then ten times that, on schedule whatever it answers."""
    seconds = 10.0 if ground.quick else 60.0
    requests = [fresh_batch(BATCH) for _ in range(BATCHES)]
    requests += [fresh_single(n) for n in range(SINGLES)]
    with ground.database("overload") as url, ground.stack() as stack:
        api = start_api(stack, url)
        send(_plan(api, requests, seconds=seconds / 10))
        able = send(_plan(api, requests, seconds=seconds / 5)).rate
        api.process.stop()
        # Afresh: what was sent to find the rate has the same IDs.
        with ground.database("overloaded") as fresh:
            loaded = start_api(stack, fresh, "overloaded")
            meter = CpuMeter(ground, loaded)
            with MemoryMeter(loaded.pid) as memory, meter.reading():
                plan = _plan(loaded, requests, seconds=seconds)
                load = send(
                    msgspec.structs.replace(plan, rate=able * TIMES, patience=PATIENCE_SECONDS)
                )
            records = sum(load.accepted.values())
            meter.add(records=records, sender=load.cpu)
            stored = asyncio.run(_check(fresh, load.accepted))
    yield Row("overload: requests it can take", able, "1/s", "", None)
    yield Row("overload: requests offered", able * TIMES, "1/s", "", None)
    yield from _memory_rows(memory)
    yield from _answer_rows(load)
    yield Row("overload: records answered 202", records / load.seconds, "records/s", "", None)
    # Where nobody was answered in time, nothing was promised and nothing is proved.
    missing = stored.missing if records else None
    yield _none("overload: records answered 202 and not stored", missing)
    yield _none("overload: records stored more than once", stored.doubled)
    yield from meter.rows("overload")


def _plan(api: Api, requests: list[bytes], *, seconds: float) -> Plan:
    return Plan(ports=(api.port,), requests=requests, connections=CONNECTIONS, seconds=seconds)


class MemoryMeter:
    """Resident memory of a process, twice a second, in MB."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.found: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self.found.append(self._process.memory_info().rss / MIB)

    @property
    def growth(self) -> float:
        """From the first third to the last."""
        third = max(1, len(self.found) // 3)
        return statistics.median(self.found[-third:]) - statistics.median(self.found[:third])


def _memory_rows(memory: MemoryMeter) -> Iterator[Row]:
    most = max(memory.found)
    yield below("overload: most resident memory of the API", most, "MB", MOST_MEMORY_MB)
    name = "overload: growth of it, first third to last"
    yield below(name, memory.growth, "MB", MOST_GROWTH_MB)


def _answer_rows(load: Load) -> Iterator[Row]:
    offered = max(1, load.requests + load.unsent + load.given_up + load.unanswered)
    counts = {
        **{f"answered {status}": load.statuses.get(status, 0) for status in (202, 429, 503)},
        "answered otherwise": sum(
            n for status, n in load.statuses.items() if status not in (0, 202, 429, 503)
        ),
        "cut off": load.statuses.get(0, 0),
        f"given up after {PATIENCE_SECONDS} s": load.given_up,
        "never answered": load.unanswered,
        f"not sent within {PATIENCE_SECONDS} s, no connection free": load.unsent,
    }
    for what, count in counts.items():
        yield Row(f"overload: share {what}", count / offered, "x", "", None)
    in_time = sum(load.statuses.get(status, 0) for status in (202, 429, 503))
    yield Row("overload: share told anything in time", in_time / offered, "x", "", None)
    for name, values in (("202", load.latencies), ("429 and 503", load.refusals)):
        value = percentile(values, 0.5) * 1000 if values else None
        yield Row(f"overload: p50 of {name}", value, "ms", "", None)


def _none(name: str, count: int | None) -> Row:
    return Row(name, count, "records", "0", None if count is None else count == 0)


async def _check(url: str, accepted: dict[str, int]) -> Stored:
    connection = await asyncpg.connect(asyncpg_dsn(url))
    found = {row[0]: (row[1], row[2]) for row in await connection.fetch(STORED)}
    await connection.close()
    missing = sum(max(0, n - found.get(digits, (0, 0))[1]) for digits, n in accepted.items())
    return Stored(missing, sum(rows - distinct for rows, distinct in found.values()))
