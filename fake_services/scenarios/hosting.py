"""Serves a fake service in this process, on a port of its own."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from litestar import Litestar


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the command that runs the scenario."""
        yield


def bound_socket() -> socket.socket:
    """Listens on a free port of this machine, so nobody else can take it meanwhile."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    return listening


@contextlib.asynccontextmanager
async def hosted(application: Litestar, listening: socket.socket) -> AsyncIterator[None]:
    """Until the block ends; raises `RuntimeError` when the application does not start."""
    config = uvicorn.Config(
        application, access_log=False, log_config=None, timeout_graceful_shutdown=2
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            if serving.done():
                await serving
                raise RuntimeError("the service did not start")
            await asyncio.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        await serving
