"""Statements over long spans: slice by slice, in bounded time, while somebody waits."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from litestar import Request
from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database, TookTooLong
from app.errors import AppError
from app.query.slices import FIRST_WIDTH, Span, cut_newest, narrower, next_width

_SHARE: Final = 0.25
"""Of the time that is left, what one statement may take: a slice too wide leaves time for less."""
_LEAST_SECONDS: Final = 0.05
_Found = TypeVar("_Found")
Fetch = Callable[[AsyncSession, Span], Awaitable[_Found]]
Cut = Callable[[Span, timedelta], tuple[Span, Span]]
Marks = Callable[[AsyncSession], Awaitable[Sequence[datetime]]]


class SearchTooSlow(AppError):
    """This search takes too long; narrow it: a shorter time (from, to), a service, a level."""


class ReaderLeft(AppError):
    """The client left before it was answered."""


async def walk(
    database: Database,
    span: Span,
    fetch: Fetch[_Found],
    *,
    seconds: float,
    width: timedelta = FIRST_WIDTH,
    cut: Cut = cut_newest,
    marks: Marks | None = None,
    locking: Executable | None = None,
) -> AsyncGenerator[tuple[Span, _Found], None]:
    """Each slice with what was fetched of it, until the span or the time is over.

    `marks`: which times no slice behind the first may go across; newest first only.
    `locking`: so that all statements of a slice see the same records.

    Raises `SearchTooSlow` when the time was over before the first slice, and what
    `Database.reading` does.
    """
    ends_at, rest, fetched = time.monotonic() + seconds, span, False
    while not rest.is_empty:
        left = ends_at - time.monotonic()
        if left < _LEAST_SECONDS:
            break
        piece, after = cut(rest, width)
        began = time.monotonic()
        try:
            reading = database.reading(seconds=left * _SHARE, locking=locking)
            async with reading as session:
                if marks is not None:
                    cut, marks = partial(cut_newest, marks=await marks(session)), None
                found = await fetch(session, piece)
        except TookTooLong:
            width = narrower(piece.length)
            continue
        seconds_taken = time.monotonic() - began
        width = next_width(width, piece.length, seconds_taken, is_empty=not found)
        rest, fetched = after, True
        yield piece, found
    if not (fetched or span.is_empty):
        raise SearchTooSlow


async def while_connected(request: Request[Any, Any, Any], work: Awaitable[_Found]) -> _Found:
    """What the work returns. When the client leaves it is cancelled, and its statement with it.

    Raises `ReaderLeft`.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ReaderLeft
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        with suppress(BaseException):
            await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
