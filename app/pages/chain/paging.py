"""Which records of a chain too long to be read at once stand on a page. Pure."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

import msgspec

from app.pages.chain.rows import RecordRow, Row, UnreadRow
from app.query.chain_queries import Key
from app.query.chain_views import ChainView
from app.query.cursors import InvalidCursor, write_cursor

READ_AT_ONCE: Final = 500
"""Reading and ordering so many takes less than a reader notices."""


class Read(msgspec.Struct, frozen=True, kw_only=True):
    chain: ChainView
    """What is drawn of it."""
    last: UUID | None = None
    """The record behind which records were not read."""
    next: str | None = None
    """Cursor of those."""


def page_of(chain: ChainView, key: Key | None, *, total: int, most: int = READ_AT_ONCE) -> Read:
    """What is drawn of the records read, of `total` in all: all, or the `most` behind the key.

    Raises `InvalidCursor` when there are none.
    """
    by_time = sorted(chain.records, key=lambda one: (one.occurred_at, one.record_id))
    if key is None and (not chain.capped or len(chain.records) >= total):
        return Read(chain=chain)
    behind = [one for one in by_time if key is None or (one.occurred_at, one.record_id) > key]
    if not behind:
        raise InvalidCursor
    page = behind[:most]
    more = len(behind) > most
    return Read(
        chain=chain if key is None else only(chain, {one.record_id for one in page}),
        last=page[-1].record_id if more else None,
        next=write_cursor(page[-1].occurred_at, page[-1].record_id) if more else None,
    )


def only(chain: ChainView, names: Collection[UUID]) -> ChainView:
    """The chain with these records alone; what is said of its roots stays."""
    places: dict[int, int] = {}
    for old, one in enumerate(chain.records):
        if one.record_id in names:
            places[old] = len(places)
    kept = [n for n, call in enumerate(chain.calls) if any(p in places for p in call.records)]
    numbers = {old: new for new, old in enumerate(kept)}
    calls = tuple(
        msgspec.structs.replace(
            call,
            parent=None if call.parent is None else numbers.get(call.parent),
            records=tuple(places[place] for place in call.records if place in places),
        )
        for call in (chain.calls[n] for n in kept)
    )
    records = tuple(chain.records[place] for place in places)
    return msgspec.structs.replace(chain, records=records, calls=calls)


def with_unread(rows: tuple[Row, ...], read: Read) -> tuple[Row, ...]:
    """With a row where records were not read."""
    if read.last is None or read.next is None:
        return rows
    unread = UnreadRow(next=read.next)
    place = next(
        (n for n, one in enumerate(rows, 1)
         if isinstance(one, RecordRow) and one.record.record_id == read.last),
        len(rows),
    )  # fmt: skip
    return (*rows[:place], unread, *rows[place:])
