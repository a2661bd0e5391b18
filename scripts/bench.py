"""Every measurement: `python3 scripts/bench.py NAME… [--json] [--quick]`.

Each bench starts what it needs on free ports and temporary data, measures in one run, and gives
rows of `name, value, unit, goal, holds`. The exit code is 0 whatever falls short: a bench
reports. 2 means that it could not run.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import environment

environment.enter(environment.TEST)

import importlib
import signal
from collections.abc import Iterator

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from scripts.benches.frame import Options, Row

WHOLE_FROM = 1000
NAMES = sorted(
    path.stem
    for path in (Path(__file__).parent / "benches").glob("*.py")
    if "def rows(" in path.read_text()
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, required=True, type=click.Choice(NAMES), metavar="NAME…")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array of all rows.")
@click.option("--quick", is_flag=True, help="Smaller: to see that it runs, not what it reaches.")
@click.option(
    "--loghub",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of LogHub CSV files, for the bench `signatures`.",
)
@click.option(
    "--documents",
    type=click.Path(exists=True, path_type=Path),
    help="Raw documents that the default catalogue was drawn from, for the bench `matching`.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="PART",
    help="Only this part of `ingest`, `incidents`, `pages` or `query`; repeatable.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where `query` and `pages` keep their filled server, to be used again; else nowhere.",
)
@click.option(
    "--together",
    is_flag=True,
    help="`query` asks the process that receives the records, not one of its own.",
)
@click.option(
    "--records",
    type=click.IntRange(min=1_000),
    help="How many records `query` and `pages` fill in; 10 million, with --quick fewer.",
)
def main(
    *,
    names: tuple[str, ...],
    as_json: bool,
    quick: bool,
    loghub: Path | None,
    documents: Path | None,
    only: tuple[str, ...],
    data: Path | None,
    together: bool,
    records: int | None,
) -> None:
    """Measure, and print a table of rows: name, value, unit, goal, holds."""
    # As Ctrl-C does: what was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = Options(
        quick=quick,
        loghub=loghub,
        documents=documents,
        only=only,
        data=data,
        together=together,
        records=records,
    )
    found = list(_measure(names, options))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
    else:
        _print_table(found)


def _measure(names: tuple[str, ...], options: Options) -> Iterator[Row]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        for name in names:
            task = progress.add_task(name, total=None)
            for row in importlib.import_module(f"scripts.benches.{name}").rows(options):
                progress.update(task, description=f"{name}: {row.name}")
                yield row
            progress.remove_task(task)


def _print_table(found: list[Row]) -> None:
    table = Table("name", "value", "unit", "goal", "holds")
    table.columns[1].justify = "right"
    for row in found:
        value = _number(row.value)
        holds = {True: "yes", False: "NO", None: ""}[row.holds]
        table.add_row(row.name, value, row.unit, row.goal, holds)
    Console(width=max(100, Console().width)).print(table)


def _number(value: float | None) -> str:
    """Four digits that say something, and no exponent."""
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if abs(value) >= WHOLE_FROM else f"{value:.4g}"


if __name__ == "__main__":
    main()
