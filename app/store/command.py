"""`prodsentinel maintain`: a round of upkeep now."""

import asyncio
import os
from datetime import UTC, datetime
from typing import Final

import click
import msgspec

from app.settings import settings_beside_service
from app.store.maintenance import Report, maintain

WORK_LEFT: Final = 1
ELSEWHERE: Final = 3


@click.command("maintain")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def maintain_now(ctx: click.Context, *, dry_run: bool, as_json: bool) -> None:
    """Do one round of upkeep: partitions ahead, retention, text indexes of closed days.

    The service does the same every ten minutes. Exit code: 0 done, or nothing to do; 1 when
    something has to wait for the next round; 2 when the database cannot be used; 3 when another
    process is at it, and nothing was done.
    """
    report = asyncio.run(
        maintain(settings_beside_service(os.environ), now=datetime.now(UTC), dry_run=dry_run)
    )
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        _print(report)
    ctx.exit(_exit_code(report))


def _exit_code(report: Report) -> int:
    if report.elsewhere:
        return ELSEWHERE
    return WORK_LEFT if report.left else 0


def _print(report: Report) -> None:
    if report.elsewhere:
        click.echo("another process is maintaining this database; nothing was done")
        return
    would = "would be " if report.dry_run else ""
    for name in report.made:
        click.echo(f"{would}made     {name}")
    for partition in report.dropped:
        over = {"age": "its age", "bytes": "the total bytes"}[partition.reason]
        click.echo(f"{would}dropped  {partition.name}  {partition.bytes:,} bytes, for {over}")
    for name in report.indexed:
        click.echo(f"{would}indexed  {name}")
    for name in report.left:
        click.echo(f"left     {name}  could not be done now", err=True)
    click.echo(
        f"{report.rows_moved:,} records {would}moved into their day, "
        f"{report.rows_deleted:,} of far clocks {would}deleted, "
        f"{report.chains_forgotten:,} marks of chains {would}deleted"
    )
    click.echo(
        f"{report.bytes_before:,} bytes before, {report.bytes_after:,} after; "
        f"{report.default_records:,} records outside of every day"
    )
    if report.over_bytes:
        click.echo("the days are over PRODSENTINEL_RETENTION_BYTES; today is never dropped")
    if report.default_over_bytes:
        click.echo(
            f"records outside of every day have {report.default_bytes:,} bytes, more than "
            "PRODSENTINEL_RETENTION_BYTES, and go by age only: some sender has a wrong clock"
        )
