"""An ASGI application that notes what its server lets it see, in the file `PROBE_NOTES`."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


def make() -> Application:
    """`/later` reads its body after two seconds; any other path at once."""
    return _probe


async def _probe(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        if scope["path"] == "/later":
            _note("began")
            await asyncio.sleep(2)
        await _answer(await _read(receive), send)


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    _note("closed")
    await send({"type": "lifespan.shutdown.complete"})


async def _read(receive: Receive) -> int:
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            _note("disconnected")
            return size
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            return size


async def _answer(size: int, send: Send) -> None:
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _note(word: str) -> None:
    with Path(os.environ["PROBE_NOTES"]).open("a") as notes:
        notes.write(f"{word}\n")
