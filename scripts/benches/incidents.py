"""From log records to incidents: whether they are right, how soon they are seen, how few they are.

Server, database and senders share the machine.
"""

from collections.abc import Callable, Iterator
from typing import Final

import click

from scripts.benches import (
    incidents_reading,
    incidents_scenarios,
    incidents_shouting,
    incidents_visible,
)
from scripts.benches.frame import Options, Row
from scripts.benches.ground import Ground, ground
from scripts.benches.synthetic_chains import root_cause_rows

ROOTS: Final = "roots"
PARTS: Final[dict[str, Callable[[Ground], Iterator[Row]]]] = {
    "scenarios": incidents_scenarios.measured,
    "visible": incidents_visible.measured,
    "shouting": incidents_shouting.measured,
    "reading": incidents_reading.measured,
}


def rows(options: Options) -> Iterator[Row]:
    """Every part, or those that the caller named; all but `roots` on one server."""
    names = (ROOTS, *PARTS)
    if unknown := set(options.only) - set(names):
        raise click.UsageError(f"no part {', '.join(unknown)}; there are {', '.join(names)}")
    wanted = [name for name in names if not options.only or name in options.only]
    if ROOTS in wanted:
        yield from root_cause_rows(options)
    if wanted == [ROOTS]:
        return
    with ground(options) as made:
        for name in wanted:
            if name != ROOTS:
                yield from PARTS[name](made)
