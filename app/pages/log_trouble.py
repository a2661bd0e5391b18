"""What is wrong with a search, as the page shows it: at the column, at the time. Pure."""

from typing import Final

import msgspec

from app.errors import AppError
from app.pages.log_asking import LogsAsked
from app.query.search.errors import InvalidMoment, InvalidRange, InvalidSearch

_REACH: Final = 60
"""Characters before the column that are shown; on a phone the line can be moved."""


class Pointed(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the search in three: what stands before the fault, there, and behind it."""

    before: str
    at: str
    behind: str
    column: int


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    title: str
    detail: str
    field: str
    """`q`, `time`, or empty when none of them is at fault."""
    pointed: Pointed | None = None
    is_passing: bool = False
    """A narrower search, or the same one later, may be answered."""


def trouble_of(error: AppError, asked: LogsAsked) -> Trouble:
    if isinstance(error, InvalidSearch):
        return Trouble(
            status=400,
            title=f"The search cannot be read at column {error.column}.",
            detail=f"{error.reason[:1].upper()}{error.reason[1:]}.",
            field="q",
            pointed=point(asked.q, error.column),
        )
    if isinstance(error, InvalidMoment | InvalidRange):
        return Trouble(
            status=400, title="The time cannot be read.", detail=str(error), field="time"
        )
    return Trouble(
        status=503, title="The search was not answered.", detail=str(error), field="",
        is_passing=True,
    )  # fmt: skip


def point(text: str, column: int) -> Pointed:
    """`column` counts characters from 1; one behind the end is a blank."""
    # A line of its own: a break within it would move what is pointed at.
    line = "".join(one if one.isprintable() else " " for one in text)
    place = min(max(column - 1, 0), len(line))
    first = max(0, place - _REACH)
    return Pointed(
        before=("…" if first else "") + line[first:place],
        at=line[place : place + 1] or " ",
        behind=line[place + 1 : place + 1 + _REACH],
        column=column,
    )
