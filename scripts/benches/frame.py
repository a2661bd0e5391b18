"""What every bench takes and gives: options in, rows of a table out."""

from pathlib import Path

import msgspec


class Options(msgspec.Struct, frozen=True):
    """What the caller of `scripts/bench.py` asked for."""

    quick: bool = False
    """Fewer rounds and smaller inputs: to see that it runs, not what it reaches."""
    loghub: Path | None = None
    """A folder of LogHub CSV files (`Content`, `EventId`)."""
    documents: Path | None = None
    """The raw documents whose headings the default entries name as their source."""
    only: tuple[str, ...] = ()
    """Parts of the benches `ingest`, `incidents`, `pages` and `query`; none named means all."""
    data: Path | None = None
    """Where `pages` and `query` keep their server, filled; None: in a temporary directory."""
    together: bool = False
    """The bench `query` asks the process that receives the records, and no other."""
    records: int | None = None
    """How many records the benches `pages` and `query` fill in."""


class Row(msgspec.Struct, frozen=True):
    """One measured figure and the bar it is held against."""

    name: str
    value: float | None
    unit: str
    goal: str
    holds: bool | None
    """None when there is no bar, or nothing was measured."""
