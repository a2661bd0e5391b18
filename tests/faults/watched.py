"""Requests that mean harm, and what the process that answers them needs for that."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psutil

from tests.faults.raw_http import Answer, ask, head
from tests.faults.rig import Api

MB: Final = 2**20
JSON: Final = "Content-Type: application/json"
NDJSON: Final = "Content-Type: application/x-ndjson"
GZIP: Final = "Content-Encoding: gzip"
ZSTD: Final = "Content-Encoding: zstd"


def post(body: bytes, *headers: str) -> bytes:
    return head(f"Content-Length: {len(body)}", *headers) + body


class Memory(threading.Thread):
    """Looks at a process's resident memory every few milliseconds."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._done = threading.Event()
        self.start_bytes = self.peak_bytes = process.memory_info().rss

    def run(self) -> None:
        while not self._done.wait(0.004):
            self.peak_bytes = max(self.peak_bytes, self._process.memory_info().rss)

    def stop(self) -> None:
        self._done.set()
        self.join(5)

    @property
    def grown_bytes(self) -> int:
        return self.peak_bytes - self.start_bytes


@contextmanager
def watched(process: psutil.Process) -> Iterator[Memory]:
    memory = Memory(process)
    memory.start()
    try:
        yield memory
    finally:
        memory.stop()


async def ask_watched(api: Api, request: bytes) -> tuple[Answer, Memory, float]:
    with watched(api.process) as memory:
        started = time.perf_counter()
        answer = await asyncio.to_thread(ask, api.url, request, seconds=30)
        return answer, memory, time.perf_counter() - started


def assert_problem(answer: Answer, *, says: str = "") -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.detail
    assert says in answer.detail
