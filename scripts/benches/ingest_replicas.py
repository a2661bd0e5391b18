"""Two API processes on one database against one of them, in turns."""

from collections.abc import Callable, Iterator

from scripts.benches.frame import Row
from scripts.benches.ground import Api, Ground, start_api
from scripts.benches.ingest_singles import CONNECTIONS, WARM_UP
from scripts.benches.loads import Plan, send
from scripts.benches.records import BATCH, batch_request, batches, singles
from scripts.benches.shares import middle, share


def measured(ground: Ground) -> Iterator[Row]:
    """Batches, then single records; the same requests to one port, and spread over both."""
    turns, many, few = (2, 1_000, 12) if ground.quick else (5, 6_000, 60)
    with ground.database("replicas") as url, ground.stack() as stack:
        apis = [start_api(stack, url, f"api-{n}") for n in (1, 2)]
        for api in apis:
            _rate((api,), singles(WARM_UP), CONNECTIONS)
        kinds: dict[str, tuple[Callable[[], list[bytes]], int, int]] = {
            "single": (lambda: singles(many), CONNECTIONS, 1),
            "NDJSON of 1,000": (lambda: [batch_request(b) for b in batches(few)], 8, BATCH),
        }
        for name, (make, connections, size) in kinds.items():
            one, two = [], []
            for _ in range(turns):
                one.append(_rate(apis[:1], make(), connections) * size)
                two.append(_rate(apis, make(), connections) * size)
            yield middle(f"{name}, one process", one, "records/s")
            yield middle(f"{name}, two processes", two, "records/s")
            ratio = share(f"{name}, two processes against one", two, one, None)
            yield Row(ratio.name, ratio.value, "x", "> 1", (ratio.value or 0) > 1)


def _rate(apis: list[Api] | tuple[Api, ...], requests: list[bytes], connections: int) -> float:
    ports = tuple(api.port for api in apis)
    return send(Plan(ports=ports, requests=requests, connections=connections)).rate
