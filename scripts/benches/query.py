"""How soon questions are answered out of ten million records of seven days, while records come.

Server, database, sender and whoever asks share the machine. One process receives; another one, as
the README advises for such a load, is asked, unless `--together` is given. First a tenth of the
records is filled in and asked, then all of them: an answer that then takes ten times as long reads
everything.
"""

from collections.abc import Iterator
from typing import Final

import click

from scripts.benches.frame import Options, Row
from scripts.benches.ground import ground_or_kept, start_api
from scripts.benches.query_asking import QUICK, Asked, Asking, Effort
from scripts.benches.query_beside import Sending
from scripts.benches.query_filled import Contents, Spent, contents, fill_to
from scripts.benches.query_kinds import KINDS, Kind, sampled

ALL: Final = 10_000_000
LIVE: Final = "live"
INGEST: Final = "ingest"
PARTS: Final = (*(kind.name for kind in KINDS), LIVE, INGEST)
MOST_GROWTH: Final = 4.0
"""Of ten times the records; what reads all of them takes ten times as long."""


def rows(options: Options) -> Iterator[Row]:
    """Every question, or those that the caller named, at two sizes of one server."""
    if unknown := set(options.only) - set(PARTS):
        raise click.UsageError(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    wanted = set(options.only or PARTS)
    every = options.records or (ALL // 10 if options.quick else ALL)
    kinds = [kind for kind in KINDS if kind.name in wanted]
    found: list[dict[str, Asked]] = []
    with ground_or_kept(options) as made, made.stack() as stack:
        api = start_api(stack, made.url)
        reader = api if options.together else start_api(stack, made.url, "reader")
        sending = Sending(api.port)
        for size in (every // 10, every):
            spent, held = fill_to(made.url, size), contents(made.url)
            if size < every and held.filled > every / 2:
                # Filled before, and no smaller any more.
                continue
            yield from _filling(size, spent, held)
            samples = sampled(made.url, held.stored)
            asking = Asking(reader.port, sending, samples, QUICK if options.quick else Effort())
            alone = asking.ask_alone(kinds)
            yield from _answers(f"{_told(size)}, nothing sent", kinds, alone, is_held=False)
            found.append(asking.ask(kinds) if kinds else {})
            yield from _answers(_told(size), kinds, found[-1], is_held=size == every)
            yield from asking.ingest_rows(_told(size))
        yield from _growth(kinds, found)
        if LIVE in wanted:
            yield from asking.live_rows()
        if INGEST in wanted:
            yield from asking.share_rows(kinds or list(KINDS))


def _filling(size: int, spent: Spent, held: Contents) -> Iterator[Row]:
    about = _told(size)
    yield Row(f"{about}: records copied", spent.copied, "records", "", None)
    for name in ("copying", "counting", "indexing", "vacuuming"):
        yield Row(f"{about}: {name} took", getattr(spent, name), "s", "", None)
    yield Row(f"{about}: records stored", held.stored, "records", "", None)
    yield Row(f"{about}: of them today", held.today, "records", "", None)
    yield Row(f"{about}: windows of today with a text index", held.windows, "windows", "", None)
    yield Row(f"{about}: table and indexes", held.bytes / 2**20, "MB", "", None)
    counted = held.counted / held.filled
    yield Row(f"{about}: counted by the service", counted, "x", "= 1", counted == 1)


def _answers(
    size: str, kinds: list[Kind], found: dict[str, Asked], *, is_held: bool
) -> Iterator[Row]:
    for kind in kinds:
        asked = found[kind.name]
        about = f"{size}: {kind.title} ({kind.reads}), "
        for name, value, goal in (("p50", asked.p50, kind.p50), ("p99", asked.p99, kind.p99)):
            told, holds = (f"< {goal:g}", value < goal) if is_held else ("", None)
            yield Row(f"{about}{name} of {len(asked.milliseconds)}", value, "ms", told, holds)


def _growth(kinds: list[Kind], found: list[dict[str, Asked]]) -> Iterator[Row]:
    """Nothing where the server was full before."""
    if len(found) < 2:  # noqa: PLR2004 - to compare
        return
    for kind in kinds:
        value = found[1][kind.name].p50 / found[0][kind.name].p50
        goal, holds = (
            ("a scan", None) if kind.is_scan else (f"< {MOST_GROWTH:g}", value < MOST_GROWTH)
        )
        yield Row(f"{kind.title}: p50 of ten times the records", value, "x", goal, holds)


def _told(size: int) -> str:
    return f"{size / 1e6:g} M"
