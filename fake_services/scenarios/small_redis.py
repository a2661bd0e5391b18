"""A server that speaks enough of Redis's protocol (RESP3) to take a few clients and no more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

FULL: Final = b"-ERR max number of clients reached\r\n"
NOTHING: Final = b"_\r\n"
OK: Final = b"+OK\r\n"


class _Server:
    def __init__(self, most: int) -> None:
        self._most = most
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As Redis does: one client too many is told so, before it asks anything, and left."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            if len(self._writers) >= self._most:
                writer.write(FULL)
                await writer.drain()
            else:
                self._writers.add(writer)
                while command := await _command(reader):
                    writer.write(NOTHING if command[0].upper() == b"GET" else OK)
                    await writer.drain()
        self._writers.discard(writer)
        writer.close()

    def leave(self) -> None:
        for writer in list(self._writers):
            writer.close()


async def _command(reader: asyncio.StreamReader) -> list[bytes]:
    """An array of bulk strings; empty at the end of the connection."""
    head = await reader.readline()
    if not head.startswith(b"*"):
        return []
    parts = []
    for _ in range(int(head[1:])):
        length = int((await reader.readline())[1:])
        parts.append((await reader.readexactly(length + 2))[:-2])
    return parts


@asynccontextmanager
async def small_redis(*, most_clients: int) -> AsyncIterator[int]:
    """Its port on 127.0.0.1."""
    server = _Server(most_clients)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    try:
        yield int(listening.sockets[0].getsockname()[1])
    finally:
        listening.close()
        server.leave()
        await listening.wait_closed()
