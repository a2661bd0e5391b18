"""`prodsentinel forget`: deletes what a person asked to have forgotten."""

import asyncio
import getpass
import os
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from app.database import Database
from app.query.forget import ForgetReport, ForgetRequest, Forgetter
from app.settings import Settings, settings_beside_service
from app.store.spool import Spool

_COUNTED: Final = {
    "records": "log records",
    "spooled": "records of this machine's spool",
    "set_aside": "records of it that the database had refused",
    "evidence": "copies that incidents kept",
    "samples": "samples of signatures, redacted",
}


@click.command("forget")
@click.argument("query")
@click.option("--dry-run", is_flag=True, help="Only count what would be deleted.")
@click.option("--yes", is_flag=True, help="Do it: what is deleted does not come back.")
@click.option("--done-by", default="", help="Who asks, for the audit; default: who is logged in.")
@click.option("--hash-query", is_flag=True, help="Keep only the SHA-256 of QUERY in the audit.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def forget(
    *, query: str, dry_run: bool, yes: bool, done_by: str, hash_query: bool, as_json: bool
) -> None:
    """Delete all log records that match QUERY, and what is kept of them elsewhere.

    From the database, this machine's spool, the evidence of incidents, and samples of signatures.
    It says what it cannot reach. What was counted stays as it was. The audit is GET /api/forget.
    """
    request = ForgetRequest(
        q=query,
        done_by=done_by or getpass.getuser(),
        confirm=yes,
        dry_run=dry_run,
        keep_query=not hash_query,
    )
    report = asyncio.run(_forget(settings_beside_service(os.environ), request))
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        _print(report)


async def _forget(settings: Settings, request: ForgetRequest) -> ForgetReport:
    database = Database(settings.database_url, settings)
    spool = Spool(settings.spool_directory, max_bytes=settings.spool_max_bytes)
    forgetter = Forgetter(database, spool)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            total = await forgetter.count(request) if not request.dry_run else None
            task = progress.add_task("forgetting", total=total)
            return await forgetter.forget(
                request, lambda done: progress.update(task, completed=done)
            )
    finally:
        spool.close()
        await database.close()


def _print(report: ForgetReport) -> None:
    for name, words in _COUNTED.items():
        click.echo(f"{getattr(report.counts, name):>12,}  {words}")
    click.echo("nothing was deleted: a dry run" if report.dry_run else report.kept)
    click.echo("Not reached:")
    for line in report.unreached:
        click.echo(f"- {line}")
    if report.forgetting_id:
        click.echo(f"audit: {report.forgetting_id}")
