"""`prodsentinel …`: the service and its tools from a terminal."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import msgspec

from app import __version__
from app.ask.command import logs
from app.canary.command import canary
from app.catalogue.command import catalogue, match
from app.catalogue.stored_command import import_documents, list_entries
from app.database import is_unavailable
from app.errors import AppError
from app.query.forget_command import forget
from app.settings import InvalidSetting, Settings, dotenv_directories, load_settings
from app.signatures.command import signature
from app.store.command import maintain_now

USAGE_ERROR = 2


class FriendlyGroup(click.Group):
    """Turns our errors into one line on standard error and exit code 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The reader went away, as `head` does: click ends quietly.
            raise
        except AppError as error:
            click.echo(f"prodsentinel: {error}", err=True)
        except Exception as error:
            if not is_unavailable(error):
                raise
            click.echo(f"prodsentinel: PostgreSQL cannot be used: {error}", err=True)
        sys.exit(USAGE_ERROR)


@click.group(cls=FriendlyGroup)
@click.version_option(__version__)
def main() -> None:
    """Stores service logs, ties them into chains, matches errors to fixes already written."""


main.add_command(signature)
main.add_command(match)
main.add_command(maintain_now)
main.add_command(forget)
main.add_command(catalogue)
main.add_command(canary)
main.add_command(logs)
catalogue.add_command(import_documents)
catalogue.add_command(list_entries)


@contextmanager
def _with_database() -> Iterator[Settings]:
    """The settings, with an embedded server behind them when they name no database."""
    settings = load_settings(os.environ, directories=dotenv_directories())
    if settings.database_url:
        yield settings
        return
    # Imported late: whoever names a database needs no embedded one.
    from app.embedded import EmbeddedServer  # noqa: PLC0415

    try:
        server = EmbeddedServer(Path(settings.data_dir))
    except OSError as error:
        raise InvalidSetting(
            f"PRODSENTINEL_DATA_DIR={settings.data_dir!r} cannot be used: {error}"
        ) from error
    # Without this SIGTERM, the way systemd and Docker stop a process, would leave it running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with server.watched():
            yield msgspec.structs.replace(settings, database_url=server.url)
    finally:
        server.stop()


@main.command()
@click.option("--migrate/--no-migrate", default=False, help="Bring the database up to date first.")
def serve(*, migrate: bool) -> None:
    """Run the service until it is told to stop."""
    with _with_database() as settings:
        # Imported late: a wrong setting stops at once, and the other commands start faster.
        import uvicorn  # noqa: PLC0415

        from app.logging import configure_logging  # noqa: PLC0415
        from app.main import create_app  # noqa: PLC0415
        from app.service import require_migrated  # noqa: PLC0415

        configure_logging(settings)
        if migrate:
            _run_migrations(settings)
        asyncio.run(require_migrated(settings))
        with suppress(KeyboardInterrupt):  # uvicorn raises the signal again once it has stopped
            uvicorn.run(
                create_app(settings, owns_process=True),
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                proxy_headers=False,
                timeout_graceful_shutdown=5,
            )


@main.command()
def migrate() -> None:
    """Bring the database to the newest revision."""
    with _with_database() as settings:
        _run_migrations(settings)


def _run_migrations(settings: Settings) -> None:
    from app.migrate import migrate as run_migrations  # noqa: PLC0415 - as above

    run_migrations(settings.database_url)


if __name__ == "__main__":
    main()
