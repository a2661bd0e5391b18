"""`prodsentinel catalogue import` and `list`: the catalogue that the database holds."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

import click
import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.documents import Compiled, compile_file, compile_together, files_of
from app.catalogue.queries import IMPORTED, Synced, sync_known_issues
from app.catalogue.tables import known_issues
from app.database import Database
from app.settings import settings_beside_service

_T = TypeVar("_T")
_PATHS = click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("import")
@_PATHS
@_AS_JSON
def import_documents(*, paths: tuple[Path, ...], as_json: bool) -> None:
    """Store the entries of documents; say what is new, changed, retired or unreadable.

    Exit code 1 when something in them could not be used; the rest is stored all the same.
    """
    files = sorted({file for path in paths for file in files_of(path)})
    compiled = _compile(files)
    # What could not be read is no reason to retire what was read of it before.
    names = {file.name for file in files} - {problem.document for problem in compiled.problems}

    async def store(session: AsyncSession) -> Synced:
        return await sync_known_issues(
            session, compiled.issues, collection=IMPORTED, documents=names
        )

    synced = asyncio.run(_in_session(store))
    problems = compiled.problems + synced.problems
    if as_json:
        answer = {**msgspec.to_builtins(synced), "problems": msgspec.to_builtins(problems)}
        click.echo(msgspec.json.encode(answer).decode())
    else:
        _print_import(synced, len(files))
        for problem in problems:
            click.echo(f"{problem.document}:{problem.line}: {problem.reason}", err=True)
    raise SystemExit(1 if problems else 0)


def _compile(files: Iterable[Path]) -> Compiled:
    files = list(files)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        read = progress.track(files, description="Reading documents")
        return compile_together([compile_file(file) for file in read])


def _print_import(synced: Synced, files: int) -> None:
    click.echo(f"{files} documents read")
    for name in ("new", "changed", "retired", "unchanged"):
        ids = getattr(synced, name)
        click.echo(f"{name:<10} {len(ids):>4}  {', '.join(ids) if name != 'unchanged' else ''}")


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="Also retired entries and old versions.")
@_AS_JSON
def list_entries(*, everything: bool, as_json: bool) -> None:
    """The entries that the database holds."""

    async def read(session: AsyncSession) -> list[dict[str, object]]:
        table = known_issues.c
        query = select(
            table.known_issue_id, table.version, table.title, table.document, table.first_line,
            table.collection, table.imported_at, table.retired_at,
        ).order_by(table.known_issue_id, table.version)  # fmt: skip
        if not everything:
            query = query.where(table.retired_at.is_(None))
        rows = [dict(row) for row in (await session.execute(query)).mappings()]
        newest = {row["known_issue_id"]: row["version"] for row in rows}
        return [r for r in rows if everything or r["version"] == newest[r["known_issue_id"]]]

    rows = asyncio.run(_in_session(read))
    if as_json:
        click.echo(msgspec.json.encode([{str(k): v for k, v in r.items()} for r in rows]).decode())
        return
    table = Table("id", "version", "title", "document", "collection", "retired")
    for row in rows:
        place = f"{row['document']}:{row['first_line']}"
        retired = "yes" if row["retired_at"] else ""
        cells = (row["known_issue_id"], row["version"], row["title"], place, row["collection"])
        table.add_row(*map(str, cells), retired)
    Console().print(table)


async def _in_session(work: Callable[[AsyncSession], Awaitable[_T]]) -> _T:
    settings = settings_beside_service(os.environ)
    database = Database(settings.database_url, settings)
    try:
        async with database.session() as session:
            return await work(session)
    finally:
        await database.close()
