"""How a server behaves when it is stopped, killed, left, or sent more than its handler reads."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
import msgspec
import psutil

from scripts.benches.ground import server_command
from scripts.stack import Process, Stack, free_ports, wait_until_ready

PROBE: Final = "scripts.benches.probe:make"
MIB: Final = 2**20
OFFERED: Final = 256 * MIB
WAIT_SECONDS: Final = 10.0


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """What one server does."""

    stop_seconds: float
    """From SIGTERM to the end, a request of two seconds being under way."""
    answers_when_stopped: bool
    closes: bool
    """Whether the application's lifespan was ended."""
    sees_disconnect: bool
    """Whether the application learns that a client left in the middle of its body."""
    taken_unread_mb: float
    """Of a body that the handler does not read; the kernel's buffers are in it."""
    left_after_kill: int
    """Processes that still run two seconds after the main one was killed."""


def manners(stack: Stack, server: str, directory: Path) -> Manners:
    """Asked of a server with an application that only notes what it sees."""
    notes = directory / f"{server}.notes"
    with _started(stack, server, notes) as (_, port):
        taken = _taken_unread(port)
        disconnected = _cut_body(port, notes)
    notes.unlink(missing_ok=True)
    with _started(stack, server, notes) as (process, port):
        seconds, answered = _stop_under_way(process, port, notes)
        closes = "closed" in _words(notes)
    with _started(stack, server, notes) as (process, _):
        left = _left_after_kill(process)
    return Manners(
        stop_seconds=seconds,
        answers_when_stopped=answered,
        closes=closes,
        sees_disconnect=disconnected,
        taken_unread_mb=taken / MIB,
        left_after_kill=left,
    )


@contextlib.contextmanager
def _started(stack: Stack, server: str, notes: Path) -> Iterator[tuple[Process, int]]:
    (port,) = free_ports(1)
    command = server_command(server, PROBE, port)
    process = stack.start(f"probe-{server}", *command, PROBE_NOTES=str(notes))
    wait_until_ready(process, f"http://127.0.0.1:{port}/")
    try:
        yield process, port
    finally:
        process.stop()


def _words(notes: Path) -> list[str]:
    return notes.read_text().split() if notes.is_file() else []


def _until(holds: Callable[[], bool], seconds: float = WAIT_SECONDS) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def _post(port: int, path: str, length: int) -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS)
    opened.sendall(
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    return opened


def _taken_unread(port: int) -> int:
    with _post(port, "/later", OFFERED) as opened:
        opened.setblocking(False)
        piece, sent = b"x" * MIB, 0
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline and sent < OFFERED:
            try:
                sent += opened.send(piece)
            except BlockingIOError:
                time.sleep(0.005)
        return sent


def _cut_body(port: int, notes: Path) -> bool:
    notes.unlink(missing_ok=True)
    with _post(port, "/", 1000) as opened:
        opened.sendall(b"half")
        time.sleep(0.2)
    return _until(lambda: "disconnected" in _words(notes), 5)


def _stop_under_way(process: Process, port: int, notes: Path) -> tuple[float, bool]:
    answers: list[int] = []

    def ask() -> None:
        with contextlib.suppress(httpx.TransportError):
            url = f"http://127.0.0.1:{port}/later"
            answers.append(httpx.post(url, content=b"x", timeout=WAIT_SECONDS).status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    _until(lambda: "began" in _words(notes))
    started = time.monotonic()
    process.popen.send_signal(signal.SIGTERM)
    with contextlib.suppress(psutil.TimeoutExpired):
        psutil.Process(process.popen.pid).wait(WAIT_SECONDS)
    seconds = time.monotonic() - started
    thread.join(WAIT_SECONDS)
    return seconds, answers == [200]


def _left_after_kill(process: Process) -> int:
    """Counted after two seconds, then killed: nothing of ours may stay."""
    main = psutil.Process(process.popen.pid)
    children = main.children(recursive=True)
    os.kill(main.pid, signal.SIGKILL)
    process.popen.wait()
    _, alive = psutil.wait_procs(children, timeout=2)
    for child in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    return len(alive)
