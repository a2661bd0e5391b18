"""Searches that people keep by name: what is stored, and how."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import msgspec
from msgspec import Meta
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import AppError
from app.query.columns import check_columns
from app.query.moments import moment_named
from app.query.search import parse_search
from app.query.tables import saved_searches

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_When = Annotated[str, Meta(max_length=100, examples=["-1d"])]
_Field = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class InvalidSavedSearch(AppError):
    """A name is 1 to 100 of A-Z a-z 0-9 . _ - and begins with none of . _ -"""


class SavedSearchRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole saved search."""

    q: Annotated[str, Meta(max_length=16_000, pattern=r"^[^\x00]*$", examples=["level:error"])]
    since: _When = msgspec.field(name="from", default="")
    """RFC 3339 or relative, as -15m; relative to whenever it is opened. Empty: the usual."""
    until: _When = msgspec.field(name="to", default="")
    columns: Annotated[tuple[_Field, ...], Meta(max_length=50)] = ()
    """What a page shows of each record, as `service` or `attr.order_id`; empty: the usual."""


class SavedSearch(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    q: str
    since: str = msgspec.field(name="from")
    until: str = msgspec.field(name="to")
    columns: tuple[str, ...]
    link: str
    """Opens the page of log records with the search."""
    version: int
    """The number in the ETag."""
    created_at: datetime
    changed_at: datetime


def check(name: str, wanted: SavedSearchRequest, *, now: datetime) -> None:
    """Raises `InvalidSavedSearch`, `InvalidSearch`, `UnreadableMoment`, `UnknownColumn`."""
    if not _NAME.fullmatch(name):
        raise InvalidSavedSearch
    parse_search(wanted.q)
    for where, moment in (("from", wanted.since), ("to", wanted.until)):
        if moment:
            moment_named(where, moment, now=now.astimezone(UTC))
    check_columns(wanted.columns)


def link_of(
    q: str, since: str, until: str, columns: Sequence[str] = (), *, public_url: str = ""
) -> str:
    """The address of the page that shows it: under `public_url`, or relative to the service."""
    given = [("q", q), ("from", since), ("to", until), *(("columns", one) for one in columns)]
    asked = urlencode([(name, value) for name, value in given if value])
    return f"{public_url.rstrip('/')}/logs" + (f"?{asked}" if asked else "")


async def list_saved(session: AsyncSession, *, public_url: str) -> list[SavedSearch]:
    """All of them, by name."""
    rows = await session.execute(select(saved_searches).order_by(saved_searches.c.name))
    return [_view(row, public_url) for row in rows.mappings()]


async def find_saved(
    session: AsyncSession, name: str, *, public_url: str, for_update: bool = False
) -> SavedSearch | None:
    query = select(saved_searches).where(saved_searches.c.name == name)
    row = (await session.execute(query.with_for_update() if for_update else query)).mappings()
    found = row.one_or_none()
    return _view(found, public_url) if found else None


async def save(
    session: AsyncSession, name: str, wanted: SavedSearchRequest, *, public_url: str
) -> SavedSearch:
    """Make it or replace it."""
    values = {
        "query": wanted.q,
        "since": wanted.since,
        "until": wanted.until,
        "columns": list(wanted.columns),
    }
    statement = (
        insert(saved_searches)
        .values(name=name, **values)
        .on_conflict_do_update(
            index_elements=["name"],
            set_={
                **values,
                "version": saved_searches.c.version + 1,
                "changed_at": func.clock_timestamp(),
            },
        )
        .returning(saved_searches)
    )
    return _view((await session.execute(statement)).mappings().one(), public_url)


async def delete_saved(session: AsyncSession, name: str) -> None:
    await session.execute(delete(saved_searches).where(saved_searches.c.name == name))


def _view(row: Any, public_url: str) -> SavedSearch:
    link = link_of(row["query"], row["since"], row["until"], row["columns"], public_url=public_url)
    named = {**row, "q": row["query"], "link": link}
    return SavedSearch(
        **{n: named[n] for n in SavedSearch.__struct_fields__ if n != "columns"},
        columns=tuple(row["columns"]),
    )
