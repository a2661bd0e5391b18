"""The sending process: a plan on standard input, what came of it on standard output.

It shares the machine with what it measures. So the requests are made beforehand, an answer is
read no further than its status and length, and the loop is uvloop's where there is one.
"""

import asyncio
import sys
import time
from array import array
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, cast

import msgspec

from scripts.benches.loads import FRESH, Load, Plan

TICK_SECONDS: Final = 0.001
LAST_ANSWERS_SECONDS: Final = 30.0
REFUSED: Final = (429, 503)
_ACCEPTED: Final = b'"accepted":'


class Connection(asyncio.Protocol):
    """One request at a time, and its answer."""

    def __init__(self, sender: "Sender", port: int) -> None:
        self._sender = sender
        self._read = b""
        self.port = port
        self.number = -1
        self.since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asked by isinstance: uvloop's transports descend from none of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._sender.free(self)

    def send(self, number: int, since: float, payload: bytes) -> None:
        self.number, self.since = number, since
        self._transport.write(payload)

    def data_received(self, data: bytes) -> None:
        if self._read:
            data = self._read + data
        end = data.find(b"\r\n\r\n")
        if end < 0 or len(data) < end + 4 + _content_length(data[:end]):
            self._read = data
            return
        self._read = b""
        self._sender.answered(self, int(data[9:12]), data[end + 4 :])
        self._sender.free(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._sender.lost(self)

    def abort(self) -> None:
        self._transport.abort()


class Sender:
    """Hands requests to connections: on schedule, or whenever one is free."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._many = len(plan.requests)
        self._fresh = [FRESH in request for request in plan.requests]
        self._due: deque[tuple[int, float]] = deque()
        self._free: deque[Connection] = deque()
        self._busy: set[Connection] = set()
        self._patience = plan.patience or float("inf")
        self._given_up = 0
        self._handed = 0
        self._open = 0
        self._ending = False
        self._unsent = 0
        self._good, self._refused = array("d"), array("d")
        self._statuses: Counter[int] = Counter()
        self._accepted: dict[str, int] = {}
        self._answered: dict[int, float] = {}
        self._done = asyncio.get_running_loop().create_future()

    async def run(self) -> Load:
        plan, loop = self._plan, asyncio.get_running_loop()
        self._start = self._end = float("inf")
        for n in range(plan.connections):
            await self._connect(plan.ports[n % len(plan.ports)])
        cpu, self._start = time.process_time(), time.perf_counter()
        self._end = self._start + plan.seconds if plan.seconds else float("inf")
        self._tick(loop) if plan.rate else self._give()
        # A schedule that is over still waits for the last answers; a server that hangs is left.
        limit = plan.seconds + LAST_ANSWERS_SECONDS if plan.seconds else None
        await asyncio.wait([self._done], timeout=limit)
        return self._result(time.perf_counter() - self._start, time.process_time() - cpu)

    async def _connect(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: Connection(self, port), "127.0.0.1", port)
        self._open += 1
        self._give()

    def free(self, connection: Connection) -> None:
        self._free.append(connection)
        self._give()

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        number, since = connection.number, connection.since
        self._busy.discard(connection)
        self._statuses[status] += 1
        seconds = time.perf_counter() - since
        if 200 <= status < 300:  # noqa: PLR2004 - the HTTP class of success
            self._good.append(seconds)
            self._answered[number] = time.time()
            if self._fresh[number % self._many]:
                self._accepted[digits(number)] = _accepted(body)
        elif status in REFUSED:
            self._refused.append(seconds)

    def lost(self, connection: Connection) -> None:
        """A server may close at will; a request that was under way then has no answer."""
        if self._ending:
            return
        self._open -= 1
        if connection in self._busy:
            self._busy.discard(connection)
            self._statuses[0] += 1
        elif connection in self._free:
            self._free.remove(connection)
        self._again = asyncio.ensure_future(self._reconnect(connection.port))

    async def _reconnect(self, port: int) -> None:
        while not self._ending:
            try:
                await self._connect(port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.perf_counter()
        past = min(now, self._end) - self._start
        while self._handed < past * self._plan.rate and self._handed < self._limit():
            self._due.append((self._handed, self._start + self._handed / self._plan.rate))
            self._handed += 1
        self._give()
        self._give_up(now)
        if not self._done.done():
            loop.call_later(TICK_SECONDS, self._tick, loop)

    def _give_up(self, now: float) -> None:
        late = [one for one in self._busy if now - one.since > self._patience]
        for connection in late:
            self._busy.discard(connection)
            self._given_up += 1
            connection.abort()

    def _limit(self) -> float:
        return float("inf") if self._plan.seconds else self._many

    def _give(self) -> None:
        if self._start > (now := time.perf_counter()):
            return
        while self._free and (item := self._next(now)):
            number, since = item
            connection = self._free.popleft()
            self._busy.add(connection)
            connection.send(number, since, self._payload(number))
        if len(self._free) == self._open and self._is_over(now) and not self._done.done():
            self._done.set_result(None)

    def _next(self, now: float) -> tuple[int, float] | None:
        if not self._plan.rate:
            if self._handed >= self._limit() or now >= self._end:
                return None
            self._handed += 1
            return self._handed - 1, now
        while self._due:
            number, since = self._due.popleft()
            if now - since <= self._patience:
                return number, since
            self._unsent += 1
        return None

    def _is_over(self, now: float) -> bool:
        return not self._due and (now >= self._end or self._handed >= self._limit())

    def _payload(self, number: int) -> bytes:
        place = number % self._many
        payload = self._plan.requests[place]
        return payload.replace(FRESH, digits(number).encode()) if self._fresh[place] else payload

    def _result(self, seconds: float, cpu: float) -> Load:
        self._ending = True
        return Load(
            seconds=seconds,
            latencies=tuple(self._good),
            refusals=tuple(self._refused),
            statuses=dict(self._statuses),
            unsent=self._unsent + len(self._due),
            given_up=self._given_up,
            unanswered=len(self._busy),
            accepted=self._accepted,
            answered=self._answered,
            cpu=cpu,
        )


def digits(number: int) -> str:
    """Eight hexadecimal digits for each number below 2**32, spread so that no index is spared."""
    return f"{number * 0x9E3779B1 % 2**32:08x}"


def _content_length(head: bytes) -> int:
    place = head.lower().find(b"content-length:")
    return int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0


def _accepted(body: bytes) -> int:
    place = body.find(_ACCEPTED) + len(_ACCEPTED)
    return int(body[place:].split(b",", 1)[0].strip(b"} "))


def main() -> None:
    """Read the plan, send, write what came of it."""
    plan = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Plan)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        load = runner.run(_send(plan))
    sys.stdout.buffer.write(msgspec.msgpack.encode(load))


async def _send(plan: Plan) -> Load:
    return await Sender(plan).run()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
