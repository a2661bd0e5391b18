"""Messages as services write them, each one different, the same ones at every run."""

import random
from uuid import UUID

_SHAPES = (
    "order ORD-{n} confirmed for customer {user} in {ms} ms",
    "GET /api/v1/orders/{n} returned 200 in {ms}ms",
    "payment pay_{id} declined by issuer, attempt {small}",
    "cache miss for key session:{uuid}",
    "connected to {ip}:5432 after {ms}ms",
    "user {user}@example.com logged in from {ip}",
    "published event {uuid} to topic orders partition {small} offset {n}",
    "request req-{hex} finished status=200 bytes={n}",
    "worker-{small} picked job {n} from queue emails, waiting {ms} ms",
    "slow query took {ms} ms: select from orders where id = {n}",
    "retrying call to inventory-service, attempt {small} of 5",
    "stock of SKU-{n} is now {small}",
    "upstream payments returned 503, circuit open for {small}s",
    "flushed {n} bytes to /var/lib/app/segment-{n}.log",
    "session {hex} expired after {n} seconds",
    "consumer lag {n} on partition {small} of topic shipments",
)
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def plain_messages(count: int) -> list[str]:
    """`count` log messages that hold no error."""
    source = random.Random(11)
    return [_SHAPES[number % len(_SHAPES)].format(**_values(source)) for number in range(count)]


def _values(source: random.Random) -> dict[str, object]:
    return {
        "n": source.randrange(1_000_000),
        "ms": source.randrange(5_000),
        "small": source.randrange(10),
        "user": "".join(source.choices(_LETTERS[:26], k=6)),
        "id": "".join(source.choices(_LETTERS, k=10)),
        "hex": f"{source.getrandbits(32):08x}",
        "uuid": UUID(int=source.getrandbits(128), version=4),
        "ip": ".".join(str(source.randrange(256)) for _ in range(4)),
    }


def traceback_of(*, frames: int, seed: int) -> str:
    """A Python traceback; lines and values differ by seed, a third of the frames is library."""
    source = random.Random(seed)
    lines = ["Traceback (most recent call last):"]
    for depth in range(frames):
        folder = "/usr/lib/python3.12" if depth % 3 == 1 else f"/srv/app/{'abc'[depth % 3]}"
        line = source.randrange(1, 900)
        lines.append(f'  File "{folder}/module_{depth}.py", line {line}, in step_{depth}')
        lines.append(f"    return handle(item, {depth})")
    lines.append(f"ValueError: order {source.randrange(10**6)} has no lines")
    return "\n".join(lines)
