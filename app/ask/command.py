"""`prodsentinel logs`: a search in a terminal."""

import os
from collections.abc import Iterable
from typing import Final

import click
import msgspec

from app.address import own_url
from app.ask.wire import Line, Page
from app.settings import dotenv_directories, load_settings

FOUND: Final = 0
NOTHING: Final = 1
NOT_ASKED: Final = 2
_COLOURS: Final = {"CRITICAL": "red", "ERROR": "red", "WARNING": "yellow", "DEBUG": "bright_black"}


@click.command("logs")
@click.argument("query", nargs=-1)
@click.option("--from", "since", help="RFC 3339 or relative: -1h, now-1d/d. Default: seven days.")
@click.option("--to", "until", help="Likewise. Default: now.")
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="Most records."
)
@click.option("--json", "as_json", is_flag=True, help="Print records as JSON lines, newest first.")
@click.option(
    "--url",
    envvar="PRODSENTINEL_URL",
    help="The service. Default: PRODSENTINEL_URL, else where the settings let it listen.",
)
@click.pass_context
def logs(
    ctx: click.Context,
    *,
    query: tuple[str, ...],
    since: str | None,
    until: str | None,
    limit: int,
    as_json: bool,
    url: str | None,
) -> None:
    """Search the log records of a running service: 'service:payment level:>=error'.

    The newest records, shown in the order of time. A QUERY that begins with - follows after --.

    Exit code: 0 when something was found, 1 when nothing was, 2 when it could not be asked.
    """
    # Imported late: the HTTP client would slow the start of every other command.
    from app.ask.client import Reader, Refused  # noqa: PLC0415

    text = " ".join(query)
    given = {"q": text, "from": since, "to": until}
    asked = {name: value for name, value in given.items() if value is not None}
    with Reader(url or _url_of_settings()) as reader:
        try:
            found = _show(reader.pages(asked, limit=limit), as_json=as_json)
        except Refused as refused:
            click.echo(f"prodsentinel: {refused}", err=True)
            if refused.column and refused.column <= len(text) + 1:
                click.echo(f"  {visible(text)}\n  {' ' * (refused.column - 1)}^", err=True)
            ctx.exit(NOT_ASKED)
    ctx.exit(FOUND if found else NOTHING)


def _show(pages: Iterable[Page], *, as_json: bool) -> int:
    """How many were found."""
    found: list[msgspec.Raw] = []
    for page in pages:
        if page.stopped_at and page.next:
            click.echo(f"searched down to {page.stopped_at.isoformat()} …", err=True)
        if as_json:
            for record in page.records:
                click.echo(bytes(record))
        found += page.records
    if not as_json:
        for record in reversed(found):
            _print(msgspec.json.decode(record, type=Line))
    return len(found)


def _print(line: Line) -> None:
    level = click.style(f"{line.level:<8}", fg=_COLOURS.get(line.level))
    # Further lines of a message, as of a stack, stand below.
    message = "\n  ".join(visible(one) for one in line.message.split("\n"))
    click.echo(f"{line.occurred_at:%Y-%m-%d %H:%M:%S.%f} {level} {visible(line.service)} {message}")


def _url_of_settings() -> str:
    settings = load_settings(os.environ, directories=dotenv_directories())
    return own_url(settings.host, settings.port)


def visible(text: str) -> str:
    """The text with its control characters spelled out: a message must not steer a terminal."""
    return "".join(one if one.isprintable() else _spelled(one) for one in text)


def _spelled(one: str) -> str:
    return one.encode("unicode_escape").decode()
