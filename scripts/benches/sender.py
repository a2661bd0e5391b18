"""A load of requests over plain sockets: little work beside the server that is measured."""

import asyncio
import time
from collections.abc import Iterator, Sequence

import msgspec


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of requests came to; times in seconds."""

    requests: int
    seconds: float
    latencies: tuple[float, ...]
    failed: int

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def request(path: str, body: bytes, content_type: str, **headers: str) -> bytes:
    """The bytes of one POST over a connection that stays open."""
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n{named}\r\n"
    )
    return head.encode() + body


async def send(port: int, requests: Sequence[bytes], *, connections: int) -> Load:
    """Send every request once, over so many connections at a time; only 2xx counts."""
    waiting = iter(requests)
    latencies: list[float] = []
    failures: list[int] = []
    started = time.perf_counter()
    await asyncio.gather(
        *(_one_connection(port, waiting, latencies, failures) for _ in range(connections))
    )
    seconds = time.perf_counter() - started
    return Load(
        requests=len(latencies),
        seconds=seconds,
        latencies=tuple(latencies),
        failed=len(failures),
    )


async def _one_connection(
    port: int, waiting: Iterator[bytes], latencies: list[float], failures: list[int]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for payload in waiting:
        started = time.perf_counter()
        writer.write(payload)
        status = await _read_answer(reader)
        latencies.append(time.perf_counter() - started)
        if not 200 <= status < 300:  # noqa: PLR2004 - the HTTP class of success
            failures.append(status)
    writer.close()
    await writer.wait_closed()


async def _read_answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    )
    await reader.readexactly(length)
    return int(head[9:12])
