"""Which rows of a long waterfall are drawn: quiet ones in a row are folded. Pure."""

from collections.abc import Sequence
from itertools import groupby
from typing import Final
from uuid import UUID

import msgspec

from app.pages.chain.rows import Bar, FoldRow, RecordRow, Row

UNFOLDED: Final = 40
"""A shorter chain is drawn as it is."""
LEAST_FOLDED: Final = 4
MOST_ROWS: Final = 200


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn at once."""

    rows: tuple[Row, ...]
    earlier: bool
    """Rows stand before these."""
    next: UUID | None
    """The record where the rows behind these begin."""


def folded(rows: Sequence[Row], *, keep: UUID | None = None) -> tuple[Row, ...]:
    """With quiet records in a row as one; `keep` stays as it is."""
    if sum(isinstance(row, RecordRow) for row in rows) <= UNFOLDED:
        return tuple(rows)
    found: list[Row] = []
    for is_quiet, group in groupby(rows, key=lambda row: _may_fold(row, keep)):
        run = list(group)
        quiet = [row for row in run if isinstance(row, RecordRow)]
        found += [_fold(quiet)] if is_quiet and len(quiet) >= LEAST_FOLDED else run
    return tuple(found)


def _may_fold(row: Row, keep: UUID | None) -> bool:
    return isinstance(row, RecordRow) and row.is_quiet and row.record.record_id != keep


def _fold(rows: Sequence[RecordRow]) -> FoldRow:
    first, last = min(row.at for row in rows), max(row.at for row in rows)
    return FoldRow(
        first=rows[0].record.record_id,
        last=rows[-1].record.record_id,
        records=len(rows),
        services=tuple(dict.fromkeys(row.record.service for row in rows)),
        run=rows[0].run,
        bar=Bar(x=first, width=round(last - first, 2)),
    )


def between(rows: Sequence[Row], first: UUID | None, last: UUID | None) -> tuple[Row, ...]:
    """The rows from one record to another; from the beginning or to the end without one."""
    names = [row.record.record_id if isinstance(row, RecordRow) else None for row in rows]
    start = names.index(first) if first in names and first else 0
    end = names.index(last) + 1 if last in names and last else len(rows)
    return tuple(rows[start:end])


def window(rows: Sequence[Row], *, around: UUID | None = None, most: int = MOST_ROWS) -> Window:
    """The first `most` rows, or as many of which one is this record's."""
    place = next((n for n, row in enumerate(rows) if _is(row, around)), 0)
    start = 0 if place < most else place - most // 4
    # It must end before a record (or a fold), as the next window begins with one.
    end = next((n for n in range(start + most, len(rows)) if _name(rows[n])), len(rows))
    return Window(
        rows=tuple(rows[start:end]),
        earlier=start > 0,
        next=_name(rows[end]) if end < len(rows) else None,
    )


def _is(row: Row, name: UUID | None) -> bool:
    return isinstance(row, RecordRow) and row.record.record_id == name


def _name(row: Row) -> UUID | None:
    if isinstance(row, RecordRow):
        return row.record.record_id
    return row.first if isinstance(row, FoldRow) else None
