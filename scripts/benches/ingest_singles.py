"""One record a request: against a bare handler at full load, and how long it takes at half."""

from collections.abc import Iterator

from scripts.benches.frame import Row
from scripts.benches.ground import CpuMeter, Ground, start_api, start_bare
from scripts.benches.loads import Load, Plan, percentile, send
from scripts.benches.records import singles
from scripts.benches.shares import below, middle, share

CONNECTIONS = 64
WARM_UP = 500
P50_MS, P99_MS = 10, 60


def measured(ground: Ground) -> Iterator[Row]:
    """INFO, then ERROR, which is signed and marks its chain; bare and ours in turns."""
    turns, count = (2, 1_000) if ground.quick else (5, 6_000)
    with ground.database("singles") as url, ground.stack() as stack:
        api, bare = start_api(stack, url), start_bare(stack)
        for port in (api.port, bare.port):
            send_singles((port,), singles(WARM_UP))
        for level, goal in (("INFO", 0.80), ("ERROR", 0.70)):
            meter, ours, theirs, loads = CpuMeter(ground, api), [], [], []
            for _ in range(turns):
                requests = singles(count, level)
                theirs.append(send_singles((bare.port,), requests).rate)
                with meter.reading():
                    load = send_singles((api.port,), requests)
                meter.add(records=load.good, sender=load.cpu)
                ours.append(load.rate)
                loads.append(load)
            name = f"single {level}"
            yield middle(f"{name}, bare handler, {CONNECTIONS} connections", theirs, "1/s")
            yield middle(f"{name}, {CONNECTIONS} connections, durable", ours, "1/s")
            yield share(f"{name}, share of a bare handler", ours, theirs, goal)
            for part in (50, 99):
                found = [one.percentile(part / 100) * 1000 for one in loads]
                yield middle(f"{name}, p{part} at full load", found, "ms")
            yield from meter.rows(name)


def latency(ground: Ground) -> Iterator[Row]:
    """At half the rate it can take, on schedule, from the moment each request was due."""
    count, seconds = (2_000, 3.0) if ground.quick else (12_000, 20.0)
    with ground.database("latency") as url, ground.stack() as stack:
        api = start_api(stack, url)
        send_singles((api.port,), singles(WARM_UP))
        full = send_singles((api.port,), singles(count)).rate
        half = full / 2
        load = send(
            Plan(
                ports=(api.port,),
                requests=singles(int(half * seconds)),
                connections=CONNECTIONS,
                rate=half,
            )
        )
    yield Row("single, a fifth of them errors, full load", full, "1/s", "", None)
    yield Row("single, half load as answered", load.rate, "1/s", "", None)
    yield below("single, p50 at half load", percentile(load.latencies, 0.5) * 1000, "ms", P50_MS)
    yield below("single, p99 at half load", percentile(load.latencies, 0.99) * 1000, "ms", P99_MS)


def send_singles(ports: tuple[int, ...], requests: list[bytes]) -> Load:
    return send(Plan(ports=ports, requests=requests, connections=CONNECTIONS))
