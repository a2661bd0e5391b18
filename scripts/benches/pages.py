"""The pages over ten million records and five thousand incidents: server, first paint, weight.

Server, database, browser and whoever asks share the machine; nobody sends meanwhile.
"""

from collections.abc import Iterator
from typing import Final

import click

from scripts.benches.frame import Options, Row
from scripts.benches.ground import ground_or_kept, start_api
from scripts.benches.pages_asked import Listed, listed_pages, server_rows
from scripts.benches.pages_filled import fill_incidents, held
from scripts.benches.pages_seen import paint_and_weight_rows
from scripts.benches.query_filled import fill_to

ALL: Final = 10_000_000
QUICK: Final = 200_000
INCIDENTS: Final = 5_000
RECORDS_AN_INCIDENT: Final = 40
"""Where fewer records are filled in than there should be, there are fewer incidents, too."""
SERVER: Final = "server"
SEEN: Final = "browser"
PARTS: Final = (SERVER, SEEN)


def rows(options: Options) -> Iterator[Row]:
    """What is stored, then the parts that the caller named, or both."""
    if unknown := set(options.only) - set(PARTS):
        raise click.UsageError(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    wanted = set(options.only or PARTS)
    every = options.records or (QUICK if options.quick else ALL)
    incidents = min(INCIDENTS, every // RECORDS_AN_INCIDENT)
    with ground_or_kept(options) as made, made.stack() as stack:
        api = start_api(stack, made.url)
        fill_to(made.url, every)
        chains = fill_incidents(made.url, api, incidents, quick=options.quick)
        yield from _held_rows(made.url, every, incidents)
        pages = listed_pages(made.url, chains)
        if SERVER in wanted:
            yield from server_rows(api, pages, quick=options.quick)
        if SEEN in wanted:
            yield from paint_and_weight_rows(api, _whole(pages), quick=options.quick)


def _held_rows(url: str, every: int, incidents: int) -> Iterator[Row]:
    found = held(url)
    stored, wanted = found.records, f">= {every:,}"
    yield Row("records stored, as planned for", stored, "records", wanted, stored >= every * 0.97)
    goal = f">= {incidents:,}"
    yield Row("incidents", found.incidents, "incidents", goal, found.incidents >= incidents)
    yield Row("incidents that the catalogue explains", found.known, "incidents", "", None)
    yield Row("failing chains of them", found.chains, "chains", "", None)
    yield Row("failing chains of them, the last 24 hours", found.lately, "chains", "", None)


def _whole(pages: list[Listed]) -> list[Listed]:
    return [page for page in pages if page.is_main]
