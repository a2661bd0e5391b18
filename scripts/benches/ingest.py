"""How fast records are stored durably, as shares of what the parts alone can do.

Server, database and sender share the machine. Every share is taken within one run, its two
sides in turns, because machines are shared and noisy.
"""

from collections.abc import Callable, Iterator
from typing import Final

import click

from scripts.benches import (
    ingest_batches,
    ingest_overload,
    ingest_replicas,
    ingest_servers,
    ingest_singles,
    ingest_stored,
)
from scripts.benches.frame import Options, Row
from scripts.benches.ground import Ground, ground

PARTS: Final[dict[str, Callable[[Ground], Iterator[Row]]]] = {
    "batches": ingest_batches.measured,
    "singles": ingest_singles.measured,
    "latency": ingest_singles.latency,
    "replicas": ingest_replicas.measured,
    "overload": ingest_overload.measured,
    "servers": ingest_servers.measured,
    "stored": ingest_stored.measured,
}


def rows(options: Options) -> Iterator[Row]:
    """Every part, or those that the caller named, on one server."""
    if unknown := set(options.only) - set(PARTS):
        raise click.UsageError(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    with ground(options) as made:
        for name, measured in PARTS.items():
            if not options.only or name in options.only:
                yield from measured(made)
