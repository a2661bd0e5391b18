"""`prodsentinel canary`: writes known chains to a running service and reads them back."""

import asyncio
import math
import os
import signal
from typing import Any, Final

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.address import own_url, without_password
from app.canary.findings import Finding, Plan
from app.canary.tally import Tally
from app.canary.verdict import FAULTS, Outcome
from app.settings import dotenv_directories, load_settings

WELL: Final = 0
FAULTY: Final = 1
NOT_RUN: Final = 2
STOP_SECONDS: Final = 5.0


class _Positive(click.FloatRange):
    """A number above zero; NaN, which is neither above nor below any bound, is none."""

    def __init__(self, most: float) -> None:
        super().__init__(min=0, min_open=True, max=most)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail("it should be a number", param, ctx)
        return number


_SECONDS = _Positive(86_400)


@click.command("canary")
@click.option(
    "--url",
    envvar="PRODSENTINEL_URL",
    help="The service. Default: PRODSENTINEL_URL, else where the settings let it listen.",
)
@click.option(
    "--rate",
    type=_Positive(1000),
    default=10.0,
    show_default=True,
    help="Chains a second.",
)
@click.option(
    "--for", "seconds", type=_SECONDS, default=60.0, show_default=True, help="Seconds of sending."
)
@click.option(
    "--late-after",
    type=_SECONDS,
    default=5.0,
    show_default=True,
    help="Seconds after its 202 from which a record is late.",
)
@click.option(
    "--wait",
    type=_SECONDS,
    default=30.0,
    show_default=True,
    help="Seconds after its 202 from which a record is missing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def canary(
    ctx: click.Context,
    *,
    url: str | None,
    rate: float,
    seconds: float,
    late_after: float,
    wait: float,
    as_json: bool,
) -> None:
    """Write known chains, read them back, and report missing, late, altered and doubled records.

    What was answered with 202 is owed; what was refused or not answered is counted apart. Ctrl-C
    ends the sending, looks once more, and reports.

    Exit code: 0 when all is well, 1 when something is missing, altered or doubled, 2 when the
    service could not be asked.
    """
    plan = Plan(rate=rate, seconds=seconds, late_after=late_after, wait=wait)
    tally = Tally()
    url = url or _url_of_settings()
    # As Ctrl-C: whoever stops it otherwise wants the report too.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    interrupted = False
    try:
        interrupted = asyncio.run(_run(url, plan, tally))
    except KeyboardInterrupt:  # the second one: no more looking
        interrupted = True
    report = {"url": without_password(url), "interrupted": interrupted, **tally.report()}
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        _print(report)
    ctx.exit(_exit_code(tally, interrupted=interrupted))


def _url_of_settings() -> str:
    settings = load_settings(os.environ, directories=dotenv_directories())
    return own_url(settings.host, settings.port)


def _exit_code(tally: Tally, *, interrupted: bool) -> int:
    if tally.faulty:
        return FAULTY
    told = interrupted or not tally.records[Outcome.UNREAD]
    return WELL if told and tally.answers else NOT_RUN


async def _run(url: str, plan: Plan, tally: Tally) -> bool:
    """Fill the tally; whether it was interrupted. Raises `ServiceUnreachable`."""
    # Imported late: the HTTP client would slow the start of every other command.
    from app.canary.client import Service  # noqa: PLC0415
    from app.canary.probe import Probe  # noqa: PLC0415

    with _progress() as progress:
        bar = progress.add_task("chains", total=plan.chains)

        def tell(finding: Finding) -> None:
            tally.add(finding)
            progress.advance(bar)

        async with Service(url) as service:
            await service.require()
            probe = Probe(service, plan, tell, tally.begin)
            running = asyncio.create_task(probe.run())
            try:
                await asyncio.shield(running)
            except asyncio.CancelledError:  # how asyncio.run tells of Ctrl-C
                probe.stop()
                await asyncio.wait({running}, timeout=STOP_SECONDS)
                return True
            return False


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _print(report: dict[str, Any]) -> None:
    console = Console()
    title = f"{report['chains']} chains, {report['url']}"
    if report["unjudged_chains"]:
        title += f"; {report['unjudged_chains']} not looked at"
    table = Table("records", "", title=title, show_header=False)
    bad = {outcome.value for outcome in FAULTS}
    for name, count in report["records"].items():
        table.add_row(name, f"{count}", style="bold red" if count and name in bad else None)
    for name, label in (("acknowledged_ms", "202 after"), ("readable_ms", "readable after")):
        times = report[name]
        if times["p50"] is not None:
            table.add_row(f"{label}, p50 / p99", f"{times['p50']:.1f} / {times['p99']:.1f} ms")
    console.print(table)
    for fault in report["faults"]:
        what = ", ".join(f"{count} {name}" for name, count in fault["outcomes"].items())
        console.print(f"{fault['correlation_id']}: {what}", markup=False, highlight=False)
