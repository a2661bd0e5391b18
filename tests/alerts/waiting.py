"""Waiting for what will be, and no longer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


async def until(found: Callable[[], Awaitable[Any]], *, seconds: float) -> Any:
    """What is found in the end. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while True:
            if result := await found():
                return result
            await asyncio.sleep(0.02)
