"""Records as NDJSON or CSV, however many: a page in memory at a time."""

import csv
import io
from collections.abc import AsyncGenerator, Callable, Iterable
from datetime import timedelta
from typing import Any, Final, Literal

import msgspec

from app.database import Database
from app.query.log_cursors import read_log_cursor
from app.query.log_views import LogPage, LogView
from app.query.search import to_text
from app.query.searching import Asked, search_page
from app.query.slices import LEAST_WIDTH

PAGE: Final = 500
COLUMNS: Final = (
    "occurred_at", "level", "service", "environment", "release", "instance", "correlation_id",
    "record_id", "message", "signature_id", "span_id", "parent_span_id", "sequence",
    "received_at", "exception", "attributes", "annotations",
)  # fmt: skip
Form = Literal["ndjson", "csv"]
MEDIA_TYPES: Final[dict[Form, str]] = {"ndjson": "application/x-ndjson", "csv": "text/csv"}

_encode = msgspec.json.Encoder().encode


async def record_pages(
    database: Database, asked: Asked, *, limit: int | None
) -> AsyncGenerator[tuple[LogView, ...], None]:
    """Newest first. No connection is held between two pages: a slow reader holds up nobody."""
    after, left, width = None, limit, None
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = await search_page(database, asked, after=after, limit=size, width=width)
        yield page.records
        if page.next is None:
            return
        width = _width_of(page)
        after = read_log_cursor(page.next, to_text(asked.search))
        left = None if left is None else left - len(page.records)


def _width_of(page: LogPage) -> timedelta | None:
    """A little more than this page took, so that the next one reads hardly more than it holds."""
    if page.stopped_at or not page.records:
        return None
    covered = page.records[0].occurred_at - page.records[-1].occurred_at
    return max(LEAST_WIDTH, covered * 1.5)


def writer_of(form: Form) -> Callable[[Iterable[LogView]], bytes]:
    """What makes bytes of each page, in order."""
    if form == "ndjson":
        return lambda records: b"".join(_encode(record) + b"\n" for record in records)
    return _CsvPages()


class _CsvPages:
    """RFC 4180, UTF-8; structured columns as JSON. The first page begins with the names."""

    def __init__(self) -> None:
        self._is_first = True

    def __call__(self, records: Iterable[LogView]) -> bytes:
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        if self._is_first:
            writer.writerow(COLUMNS)
            self._is_first = False
        writer.writerows([_cell(getattr(record, name)) for name in COLUMNS] for record in records)
        return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    encoded = _encode(value).decode()
    return encoded[1:-1] if encoded.startswith('"') else encoded
