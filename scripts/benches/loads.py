"""A load of requests, sent by a process of its own so that the bench does not slow it down."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST_SECONDS = 240.0
FRESH = b"@@@@@@@@"
"""Stands in a request that is sent many times; each time eight other hexadecimal digits do."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send. With `rate` on schedule, whatever the answers do; else after each answer."""

    ports: tuple[int, ...]
    requests: Sequence[bytes]
    connections: int
    rate: float = 0.0
    """Requests a second; 0: as fast as they are answered."""
    seconds: float = 0.0
    """How long; the requests are then taken in turns, again and again. 0: each once."""
    patience: float = 0.0
    """How long a scheduled request waits, as senders do: one for which no connection came free by
    then is not sent, one that was not answered is given up with its connection. 0: for ever."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it; times in seconds, latencies from the scheduled time where there is one."""

    seconds: float
    latencies: tuple[float, ...]
    """Of the answers in 2xx, in their order."""
    refusals: tuple[float, ...]
    """Latencies of 429 and 503."""
    statuses: dict[int, int]
    """Answers by status; 0 counts connections that ended without one."""
    unsent: int
    given_up: int
    unanswered: int
    accepted: dict[str, int]
    """Of requests made fresh: their digits -> how many records the answer 202 spoke for."""
    answered: dict[int, float]
    """Number of each request that got 2xx -> when, as `time.time` tells it."""
    cpu: float
    """Processor seconds that the sender took."""

    @property
    def requests(self) -> int:
        return sum(self.statuses.values())

    @property
    def good(self) -> int:
        return len(self.latencies)

    @property
    def rate(self) -> float:
        return self.good / self.seconds

    def percentile(self, share: float) -> float:
        return percentile(self.latencies, share)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them stays below; not a number when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def get(path: str) -> bytes:
    """The bytes of one GET over a connection that stays open."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def request(path: str, body: bytes, content_type: str, **headers: str) -> bytes:
    """The bytes of one POST over a connection that stays open."""
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n{named}\r\n"
    )
    return head.encode() + body


def send(plan: Plan) -> Load:
    """Send it all and wait for the answers."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benches.sender"],
        input=msgspec.msgpack.encode(plan),
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
        timeout=LONGEST_SECONDS,
    )
    load = msgspec.msgpack.decode(done.stdout, type=Load)
    if not plan.seconds and (failed := load.requests - load.good):
        answers = {status: n for status, n in load.statuses.items() if status // 100 != 2}  # noqa: PLR2004
        print(f"{failed} of {load.requests} requests failed: {answers}", file=sys.stderr)
    return load
