"""Child processes of a scenario: bounded in time, ended by their own process ID."""

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

STOP_SECONDS: Final = 5.0


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A process that has ended."""

    code: int
    output: str
    """What it wrote to stdout and stderr, in that order of writing."""


class Child:
    """A process that runs until `stop()`; its output is kept."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        # Read all along: a full pipe would hold the process up.
        self._reading = asyncio.create_task(process.communicate())

    async def finished(self, seconds: float) -> Finished:
        """Waits for its end; raises `TimeoutError` after so many seconds."""
        async with asyncio.timeout(seconds):
            output, _ = await asyncio.shield(self._reading)
        return Finished(code=self._process.returncode or 0, output=output.decode(errors="replace"))

    async def stop(self) -> Finished:
        """Ask, wait, then insist; with whatever it started itself."""
        self._signal(signal.SIGTERM)
        try:
            return await self.finished(STOP_SECONDS)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            return await self.finished(STOP_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is not None:
            return
        # It leads a group of its own, so the group's number is its process ID.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


async def start(*command: str, cwd: Path, env: Mapping[str, str]) -> Child:
    """Starts it in `cwd` with this process's environment and `env`."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**inherited, **env},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    return Child(process)
