"""Parts of the logs page that count, and come after the records: over time, and by value."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.database import Database, ReadersBusy, TookTooLong
from app.errors import AppError
from app.pages.drawing import Pages, asks_for_part
from app.pages.log_asking import LogsAsked
from app.pages.log_narrowing import facets_of
from app.pages.log_parameters import ASKED
from app.pages.wording import span
from app.query.log_handlers import asked_of
from app.query.log_queries import Split
from app.query.log_views import HistogramView
from app.query.searching import facets, histogram
from app.query.signature_links import signature_links
from app.query.walking import SearchTooSlow, while_connected
from app.settings import Settings

BUCKETS: Final = 90
VALUES: Final = 8
KINDS: Final = {
    "other": "rest",
    "warnings": "unknown",
    "errors": "error",
    "known": "known",
    "unknown": "unknown",
}
"""The colour of each series."""
_SLOW: Final = (SearchTooSlow, TookTooLong, ReadersBusy)


class Key(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    kind: str
    total: int


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by time, as they are drawn."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    starts: tuple[int, ...]
    """Seconds since 1970."""
    series: tuple[tuple[int, ...], ...]
    bucket_seconds: int

    @property
    def keys(self) -> tuple[Key, ...]:
        """Of what there is any of, the topmost first."""
        zipped = zip(self.names, self.kinds, map(sum, self.series), strict=True)
        keys = [Key(name=name, kind=kind, total=total) for name, kind, total in zipped if total]
        return tuple(reversed(keys))

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(f"bar-{kind}" for kind in self.kinds)

    @property
    def length(self) -> str:
        told = span(timedelta(seconds=self.bucket_seconds))
        return told.removesuffix(" 0 s").removesuffix(" 0 min").removesuffix(" 0 h")

    @property
    def label(self) -> str:
        """What a screen reader says of it."""
        told = [f"{key.total:,} {key.name}" for key in self.keys]
        return f"Records over time: {', '.join(told) or 'none'}"

    def data(self) -> str:
        """For the script that draws it again."""
        return msgspec.json.encode(self).decode()


@get("/logs/histogram", dependencies=ASKED)
async def show_histogram(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    log_asked: NamedDependency[LogsAsked],
    split: Annotated[str, QueryParameter(max_length=20)] = "level",
) -> Response[str]:
    """How many over time, by level; or errors, known and unknown."""
    wanted: Split = "known" if split == "known" else "level"
    asked = asked_of(log_asked.q, log_asked.since or None, log_asked.until or None, settings)
    work = histogram(database, asked, split=wanted, most=BUCKETS, top=10)
    try:
        view = await while_connected(request, work)
    except _SLOW as error:
        return await _too_slow(request, pages, error)
    if not log_asked.until:
        view = until_now(view, datetime.now(UTC))
    return await pages.draw(
        request,
        "log_histogram.html",
        block=_block(request),
        view=view,
        bars_drawn=known_bars(view) if wanted == "known" else level_bars(view),
        split=wanted,
        asked=log_asked,
    )


@get("/logs/facets", dependencies=ASKED)
async def show_facets(
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    log_asked: NamedDependency[LogsAsked],
) -> Response[str]:
    """The most frequent values, each a way to narrow the search."""
    asked = asked_of(log_asked.q, log_asked.since or None, log_asked.until or None, settings)
    try:
        view = await while_connected(request, facets(database, asked, attributes=(), top=VALUES))
    except _SLOW as error:
        return await _too_slow(request, pages, error)
    names = [one.value for one in view.facets["signature"] if one.value]
    async with database.reading(seconds=settings.search_seconds) as session:
        links = await signature_links(session, names)
    return await pages.draw(
        request,
        "log_facets.html",
        block=_block(request),
        asked=log_asked,
        is_open=not asks_for_part(request),
        view=view,
        facets=facets_of(view, log_asked, asked.search, links),
    )


async def _too_slow(
    request: Request[Any, Any, Any], pages: Pages, error: AppError
) -> Response[str]:
    block = _block(request)
    return await pages.draw(
        request, "log_unanswered.html", block=block, status=503, detail=f"Not counted: {error}"
    )


def _block(request: Request[Any, Any, Any]) -> str | None:
    return "part" if asks_for_part(request) else None


def until_now(view: HistogramView, now: datetime) -> HistogramView:
    """Without a future in which nothing is: a search looks ahead for clocks that run fast."""
    ends = max(
        (one.start + timedelta(seconds=view.bucket_seconds) for one in view.buckets if one.count),
        default=now,
    )
    until = min(max(ends, now), view.until)
    return msgspec.structs.replace(
        view, until=until, buckets=tuple(one for one in view.buckets if one.start < until)
    )


def level_bars(view: HistogramView) -> Bars:
    """Errors over warnings over the rest."""
    errors = tuple(_sum(one.values, "ERROR", "CRITICAL") for one in view.buckets)
    warnings = tuple(_sum(one.values, "WARNING") for one in view.buckets)
    rest = tuple(
        one.count - e - w for one, e, w in zip(view.buckets, errors, warnings, strict=True)
    )
    return _bars(view, {"other": rest, "warnings": warnings, "errors": errors})


def known_bars(view: HistogramView) -> Bars:
    """Errors that the catalogue explains, and over them those that it does not."""
    return _bars(
        view,
        {
            name: tuple(one.values.get(name, 0) for one in view.buckets)
            for name in ("known", "unknown")
        },
    )


def _bars(view: HistogramView, series: dict[str, tuple[int, ...]]) -> Bars:
    return Bars(
        names=tuple(series),
        kinds=tuple(KINDS[name] for name in series),
        starts=tuple(int(one.start.timestamp()) for one in view.buckets),
        series=tuple(series.values()),
        bucket_seconds=view.bucket_seconds,
    )


def _sum(values: dict[str, int], *names: str) -> int:
    return sum(values.get(name, 0) for name in names)


handlers = (show_histogram, show_facets)
