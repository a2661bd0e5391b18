"""Receivers of messages, on real sockets: what they answer is a script, what they got is kept."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec

Reply = Callable[["Receiver", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Got(msgspec.Struct, frozen=True):
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Answers request after request by its script, the last reply for ever."""

    def __init__(self, script: Sequence[Reply]) -> None:
        self._script = script
        self.got: list[Got] = []
        self.bytes_out = 0
        self.at_once = 0
        self.most_at_once = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/very-secret-path"

    async def is_left(self) -> bool:
        """Whether nobody is connected any more."""
        return not self.at_once

    async def has_got(self) -> list[Got]:
        return self.got

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            got = await read_request(reader)
            self.got.append(got)
            reply = self._script[min(len(self.got), len(self._script)) - 1]
            await reply(self, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.at_once -= 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def read_request(reader: asyncio.StreamReader) -> Got:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in rest)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Got(line, headers, body)


def says(status: int, body: str = "", **headers: str) -> Reply:
    """An answer of this status; header names with _ for -."""

    async def reply(_: Receiver, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        await writer.drain()

    return reply


async def hangs(_: Receiver, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Never answers; ends when the other side leaves."""
    await reader.read()


async def closes(_: Receiver, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def hesitates(
    receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Long enough for others to come in between."""
    await asyncio.sleep(0.02)
    await says(200)(receiver, reader, writer)


async def floods(receiver: Receiver, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A gigabyte, as fast as the other side takes it."""
    gigabyte, part = 2**30, b"x" * 65_536
    writer.write(f"HTTP/1.1 500 Flood\r\nContent-Length: {gigabyte}\r\n\r\n".encode())
    while receiver.bytes_out < gigabyte:
        writer.write(part)
        await writer.drain()
        receiver.bytes_out += len(part)


@contextlib.asynccontextmanager
async def receiving(*script: Reply) -> AsyncIterator[Receiver]:
    receiver = Receiver(script or (says(200, "ok"),))
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()
