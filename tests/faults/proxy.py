"""A Unix socket between the API and PostgreSQL that can cut, refuse, and withhold an answer."""

import asyncio
import contextlib
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from sqlalchemy.engine import make_url

_SOCKET: Final = ".s.PGSQL.5432"
_WRITES: Final = (
    b'COPY "log_records"',
    b"INSERT INTO log_records",
    b"INSERT INTO incident_chains",
)


class Messages:
    """Cuts a stream into whole messages (PostgreSQL 18 manual, section 54.7): type, length, rest.

    The first message of a client has no type byte.
    """

    def __init__(self, *, from_client: bool) -> None:
        self._held = bytearray()
        self._type_bytes = 0 if from_client else 1

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._held += data
        while (size := self._size()) and len(self._held) >= size:
            yield bytes(self._held[:size])
            del self._held[:size]
            self._type_bytes = 1

    def _size(self) -> int:
        start = self._type_bytes
        if len(self._held) < start + 4:
            return 0
        (length,) = struct.unpack_from(">I", self._held, start)
        return start + int(length)


class Proxy:
    """PostgreSQL as the API sees it, while the real one is well."""

    def __init__(self, database_url: str) -> None:
        self._url = make_url(database_url)
        self._upstream = Path(str(self._url.query["host"])) / _SOCKET
        # A path of a Unix socket holds 108 bytes at most.
        self._home = tempfile.TemporaryDirectory(prefix="ps-")
        self._links: set[_Link] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self.away = False
        self.withholding_commits = False
        self.withheld = asyncio.Event()

    @property
    def url(self) -> str:
        behind = self._url.update_query_dict({"host": self._home.name})
        return behind.render_as_string(hide_password=False)

    async def __aenter__(self) -> Self:
        path = Path(self._home.name) / _SOCKET
        self._server = await asyncio.start_unix_server(self._serve, path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.leave()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        self._home.cleanup()

    def leave(self) -> None:
        """Cut every connection and refuse new ones, until `come_back()`."""
        self.away = True
        self.cut()

    def come_back(self) -> None:
        self.away = False

    def cut(self) -> None:
        for link in self._links:
            link.cut.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            if not self.away:
                await self._connect(_Stream(reader, writer))
        finally:
            writer.close()

    async def _connect(self, client: "_Stream") -> None:
        with contextlib.suppress(OSError):
            server = _Stream(*await asyncio.open_unix_connection(self._upstream))
            link = _Link(self, client, server)
            self._links.add(link)
            try:
                await link.run()
            finally:
                self._links.discard(link)
                server.writer.close()


class _Stream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: _Stream, server: _Stream) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._has_written = False
        self.cut = asyncio.Event()

    async def run(self) -> None:
        """Until either side leaves, or until it is cut."""
        ways = [
            asyncio.create_task(self._requests()),
            asyncio.create_task(self._answers()),
            asyncio.create_task(self.cut.wait()),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

    async def _requests(self) -> None:
        messages = Messages(from_client=True)
        while data := await self._client.reader.read(65536):
            for message in messages.feed(data):
                if message[:1] in b"QP" and any(words in message for words in _WRITES):
                    self._has_written = True
            self._server.writer.write(data)
            await self._server.writer.drain()

    async def _answers(self) -> None:
        messages = Messages(from_client=False)
        while data := await self._server.reader.read(65536):
            for message in messages.feed(data):
                if message[:1] == b"C" and message.endswith(b"COMMIT\0"):
                    await self._pass_commit()
                self._client.writer.write(message)
            await self._client.writer.drain()

    async def _pass_commit(self) -> None:
        if self._has_written and self._proxy.withholding_commits:
            self._proxy.withheld.set()
            await asyncio.Event().wait()  # until somebody cuts the connection
        self._has_written = False
