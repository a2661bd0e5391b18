"""`python -m fake_services scenario NAME|all|list`."""

import asyncio
import functools
import logging
import signal
from collections.abc import Sequence
from typing import Final

import click
import msgspec
import structlog
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from fake_services.scenarios.model import Outcome, Scenario, is_on_this_machine, why_not
from fake_services.scenarios.registry import BY_NAME, SCENARIOS
from fake_services.scenarios.running import perform
from fake_services.settings import WrongSetting, check_address

STYLES: Final = {"ran": "green", "skipped": "yellow", "failed": "red"}


def run(name: str, url: str, database_url: str, *, as_json: bool) -> int:
    """Performs the scenario of that name, or `all`, or lists them; the exit code."""
    # What the services and their libraries log is sent; the terminal is for the outcomes.
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if name == "list":
        print_list(database_url, as_json=as_json)
        return 0
    try:
        address = check_address("--url", url)
    except WrongSetting as error:
        raise click.UsageError(str(error)) from error
    try:
        outcomes = asyncio.run(_perform(_chosen(name), address, database_url))
    except asyncio.CancelledError:
        return 1
    if as_json:
        _print_json(outcomes)
    else:
        _print_outcomes(outcomes)
    return 1 if any(one.outcome == "failed" for one in outcomes) else 0


def _chosen(name: str) -> Sequence[Scenario]:
    if name == "all":
        return SCENARIOS
    if name not in BY_NAME:
        raise click.UsageError(f"no scenario is called {name!r}; `scenario list` names them")
    return (BY_NAME[name],)


async def _perform(chosen: Sequence[Scenario], url: str, database_url: str) -> list[Outcome]:
    if whole := asyncio.current_task():
        # Cancelled, not killed: what the scenario started is stopped first.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, whole.cancel)
    outcomes = []
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(chosen))
        for one in chosen:
            progress.update(task, description=one.name)
            outcomes.append(await perform(one, url, database_url=database_url))
            progress.advance(task)
    return outcomes


def _print_json(value: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def _print_outcomes(outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        told = f"{one.outcome}: {one.reason}" if one.reason else one.outcome
        click.echo(f"{one.scenario}  {click.style(told, fg=STYLES[one.outcome])}")
        if one.root_service and one.outcome != "skipped":
            click.echo(f"  root          {one.root_service}: {one.root or 'no error, a behaviour'}")
        for chain in one.correlation_ids:
            click.echo(f"  correlation   {chain}")


def print_list(database_url: str, *, as_json: bool) -> None:
    """What each scenario shows, and whether or why not it can run on this machine."""
    has = functools.partial(is_on_this_machine, database_url=database_url)
    reasons = {one.name: why_not(one, has=has) for one in SCENARIOS}
    if as_json:
        _print_json([_listed(one, reasons[one.name]) for one in SCENARIOS])
        return
    table = Table(Column("scenario", no_wrap=True, min_width=max(map(len, reasons))))
    table.add_column("what happens, and where")
    table.add_column("runs here")
    for one in SCENARIOS:
        happens = f"{one.root_service}: {one.shows}"
        table.add_row(one.name, happens, reasons[one.name] or "yes")
    Console().print(table)


def _listed(one: Scenario, reason: str) -> dict[str, object]:
    return {
        "scenario": one.name,
        "shows": one.shows,
        "root_service": one.root_service,
        "root": one.root,
        "needs": one.needs,
        "runs_here": not reason,
        "reason": reason,
    }
