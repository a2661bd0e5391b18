"""One log record, opened: its error with the cause first, its fields, and as JSON. Pure."""

from collections.abc import Iterator
from typing import Final

import msgspec

from app.pages.log_asking import LogsAsked
from app.pages.log_narrowing import narrowed, term_for
from app.pages.log_rows import chain_address, record_address, said
from app.pages.record_errors import Raised, errors_in, stack_of
from app.query.attributes import flat
from app.query.columns import ATTRIBUTE, FIELDS, is_column
from app.query.log_views import LogView
from app.query.search import Search, parse_search, to_text
from app.query.search.edit import with_term
from app.query.search.errors import InvalidSearch
from app.query.search.model import Everything, Not
from app.query.signature_links import SignatureLink

MOST_FIELDS: Final = 200
_FIELDS: Final = FIELDS | {"parent span": "parent_span_id", "record": "record_id"}


class FoundField(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a record, and where its value leads."""

    name: str
    value: str
    only: str | None
    """The address of the search for this value; none when it cannot be searched."""
    without: str | None
    column: str | None
    """The address with the field as a column, or without it when it is one."""
    is_column: bool


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """All that a record holds, ready to be read."""

    record: LogView
    fields: tuple[FoundField, ...]
    raised: tuple[Raised, ...]
    """Its errors, the cause first."""
    stack: str
    """The stack as it was sent; empty when it came as frames or not at all."""
    json: str
    link: SignatureLink | None
    address: str
    """Of the record by itself."""
    chain: str
    """Of the record within its chain."""


def opened(record: LogView, asked: LogsAsked, link: SignatureLink | None = None) -> Opened:
    """`asked` is the search that its fields narrow."""
    exception = record.exception
    is_error = record.signature_id or exception
    return Opened(
        record=record,
        fields=tuple(fields_of(record, asked)),
        raised=errors_in(record.message, exception) if is_error else (),
        stack=stack_of(exception),
        json=msgspec.json.format(msgspec.json.encode(record), indent=2).decode(),
        link=link,
        address=record_address(record.correlation_id, record),
        chain=chain_address(record),
    )


def fields_of(record: LogView, asked: LogsAsked) -> Iterator[FoundField]:
    """Those that the record has, its attributes last."""
    try:
        search = parse_search(asked.q)
    except InvalidSearch:
        search = Everything()
    for name, attribute in _FIELDS.items():
        value = getattr(record, attribute)
        if value is not None:
            text = value.value if name == "level" else str(value)
            yield _told(name, text, asked, search, is_plain=True)
    for count, (name, value) in enumerate(flat(record.attributes)):
        if count == MOST_FIELDS:
            return
        is_plain = not isinstance(value, dict | list | None)
        yield _told(f"{ATTRIBUTE}{name}", said(value), asked, search, is_plain=is_plain)


def _told(name: str, value: str, asked: LogsAsked, search: Search, *, is_plain: bool) -> FoundField:
    term = term_for(name, value) if is_plain else None
    columns = tuple(one for one in asked.columns if one != name)
    shown = name in asked.columns
    return FoundField(
        name=name,
        value=value,
        only=narrowed(asked, search, term) if term else None,
        without=asked.address(q=to_text(with_term(search, Not(part=term)))) if term else None,
        column=asked.address(columns=columns if shown else (*columns, name))
        if is_column(name)
        else None,
        is_column=shown,
    )
