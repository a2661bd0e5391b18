"""The live tail: how soon 50 listeners see a record while 5,000 a second are stored, and what
listening costs those who store.

Server, database, sender and listeners share the machine. The sides are taken in turns.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Final, Self

import httpx

from scripts.benches.frame import Options, Row
from scripts.benches.ground import Api, CpuMeter, Ground, ground, start_api
from scripts.benches.ingest_batches import send_batches
from scripts.benches.loads import Plan, percentile, send
from scripts.benches.records import BATCH, batches, fresh_batch
from scripts.benches.shares import below, middle, share

LISTENERS: Final = 50
RATE: Final = 5_000
MARKS_A_SECOND: Final = 10
ONE_SEARCH: Final = ("service:marker",)
TEN_SEARCHES: Final = tuple(f"service:marker -message{n}" for n in range(10))


def rows(options: Options) -> Iterator[Row]:
    """Latency under load, the cost at that rate, and what is left of the highest rate."""
    with ground(options) as made, made.database("live") as url, made.stack() as stack:
        api = start_api(stack, url)
        send_batches(api.port, batches(4))
        yield from _at_rate(made, api, seconds=5 if options.quick else 20)
        yield from _at_most(made, api)


def _at_rate(made: Ground, api: Api, *, seconds: float) -> Iterator[Row]:
    for name, searches in (("nobody", ()), ("one search", ONE_SEARCH), ("ten", TEN_SEARCHES)):
        meter = CpuMeter(made, api)
        with Listening(api.port, searches) as listening, meter.reading():
            stop = threading.Event()
            marking = threading.Thread(target=mark, args=(api.port, stop))
            marking.start()
            load = send(_plan(api.port, seconds))
            stop.set()
            marking.join()
        meter.add(records=load.good * BATCH, sender=load.cpu)
        yield Row(f"{name}: stored meanwhile", load.rate * BATCH, "records/s", "", None)
        yield from meter.rows(name)
        if searches:
            yield from _latencies(name, listening.seconds)


def _latencies(name: str, seconds: list[float]) -> Iterator[Row]:
    yield Row(f"{name}: events that arrived", len(seconds), "events", "", None)
    yield below(f"{name}: record to listener, p50", percentile(seconds, 0.5), "s", 1.0)
    yield below(f"{name}: record to listener, p99", percentile(seconds, 0.99), "s", 2.0)


def _at_most(made: Ground, api: Api) -> Iterator[Row]:
    turns, count = (2, 10) if made.quick else (5, 40)
    alone, heard = [], []
    for _ in range(turns):
        alone.append(send_batches(api.port, batches(count)).rate * BATCH)
        with Listening(api.port, ONE_SEARCH):
            heard.append(send_batches(api.port, batches(count)).rate * BATCH)
    yield middle("highest rate, nobody listens", alone, "records/s")
    yield middle(f"highest rate, {LISTENERS} listen", heard, "records/s")
    yield share("share that is left", heard, alone, 0.85)


def _plan(port: int, seconds: float) -> Plan:
    return Plan(
        ports=(port,),
        requests=[fresh_batch(BATCH) for _ in range(20)],
        connections=4,
        rate=RATE / BATCH,
        seconds=seconds,
    )


def mark(port: int, stop: threading.Event) -> None:
    """Records that tell when they were sent."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        while not stop.wait(1 / MARKS_A_SECOND):
            record = {"service": "marker", "message": f"sent at {time.monotonic()!r}"}
            client.post("/ingest/logs", json=record).raise_for_status()


class Listening:
    """Fifty listeners in a thread of their own, over these searches in turns."""

    def __init__(self, port: int, searches: tuple[str, ...]) -> None:
        self.seconds: list[float] = []
        self._port = port
        self._searches = searches
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        # What is still on its way arrives.
        time.sleep(2)
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(30)
        self._loop.close()

    async def _run(self) -> None:
        self._ended = asyncio.Event()
        limits = httpx.Limits(max_connections=LISTENERS)
        base = f"http://127.0.0.1:{self._port}"
        async with httpx.AsyncClient(base_url=base, timeout=60, limits=limits) as client:
            searches = [self._searches[n % len(self._searches)] for n in range(self._listeners)]
            tasks = [asyncio.create_task(self._listen(client, search)) for search in searches]
            await asyncio.sleep(2)
            self._ready.set()
            await self._ended.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def _listeners(self) -> int:
        return LISTENERS if self._searches else 0

    async def _listen(self, client: httpx.AsyncClient, search: str) -> None:
        async with client.stream("GET", "/api/logs/live", params={"q": search}) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("data: ") and "sent at " in line:
                    sent = line.partition("sent at ")[2].partition('"')[0]
                    self.seconds.append(time.monotonic() - float(sent))
