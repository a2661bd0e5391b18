"""Starts everything with one command: `python3 scripts/up.py`; `--verify` proves it and ends.

Needs Python 3.11 and nothing else: it makes `.venv` and installs the pinned packages first.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import assets, environment


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"{text} is no port; it is 1 to 65535")
    return int(text)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Run PostgreSQL, the API, three fake services and their traffic until Ctrl-C.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--verify", action="store_true", help="prove that it works, on free ports, and end")
    add(
        "--no-traffic",
        action="store_true",
        help="send no requests through the fake services, and let no known issue happen",
    )
    add("--port", type=_port, help="port of the API (default 8000)")
    add("--data", type=Path, metavar="DIR", help="data directory (default var)")
    add(
        "--database-url",
        metavar="URL",
        help="a PostgreSQL of yours (default: DATABASE_URL, or embedded)",
    )
    return parser.parse_args()


# Before anything is installed: --help, and what is misspelt, are answered at once.
asked = _asked()
environment.enter(environment.RUN)

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator

import asyncpg
from rich.console import Console
from rich.live import Live
from rich.text import Text
from sqlalchemy.engine import make_url

from app.database import asyncpg_dsn, is_unavailable
from app.errors import AppError
from app.settings import Settings, dotenv_directories, load_settings
from scripts.stack import Stack, StackError, database, free_ports, is_free, require_free

FAKE_SERVICE_PORTS = [8101, 8102, 8103]
COUNTS = """
    SELECT
        (SELECT count(*) FROM log_records) AS records,
        (SELECT count(*) FROM failing_chains) AS failing,
        (SELECT count(*) FROM incidents WHERE status <> 'resolved') AS open,
        (SELECT count(*) FROM incidents JOIN matches ON signature_id = root_signature_id
         WHERE status <> 'resolved' AND known_issue_id IS NOT NULL) AS matched
"""
PLAIN_SECONDS = 30.0
console = Console()


def main() -> None:
    """Everything until Ctrl-C, or the proof that it works; ends with an exit code."""
    # A plain kill ends it as tidily as Ctrl-C does; and a shell that starts it in the background
    # has it ignore Ctrl-C.
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.default_int_handler)
    try:
        settings = _settings(asked.port, asked.data, asked.database_url)
        if asked.verify:
            sys.exit(run_verify(settings, asked.data))
        sys.exit(run(settings, traffic=not asked.no_traffic))
    except (AppError, StackError) as error:
        _say(f"up: {error}", style="red")
        sys.exit(1)
    except Exception as error:
        if not is_unavailable(error):
            raise
        _say(f"up: PostgreSQL cannot be used: {error}", style="red")
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("stopped")
        sys.exit(0)


def _settings(port: int | None, data: Path | None, database_url: str | None) -> Settings:
    given = {
        "PRODSENTINEL_PORT": port and str(port),
        "PRODSENTINEL_DATA_DIR": data and str(data.resolve()),
        "DATABASE_URL": database_url,
    }
    chosen = {name: value for name, value in given.items() if value}
    settings = load_settings({**os.environ, **chosen}, directories=dotenv_directories())
    if Path(settings.data_dir).is_absolute():
        return settings
    return load_settings(
        {
            **os.environ,
            **chosen,
            "PRODSENTINEL_DATA_DIR": str(environment.ROOT / settings.data_dir),
        },
        directories=dotenv_directories(),
    )


def run(settings: Settings, *, traffic: bool) -> int:
    """Everything on its own port, until a signal or until one of the processes ends."""
    require_free(settings.port)
    assets.try_to_build()
    ports = FAKE_SERVICE_PORTS if all(map(is_free, FAKE_SERVICE_PORTS)) else free_ports(3)
    data = Path(settings.data_dir)
    _say("Starting PostgreSQL, the service and three fake services …")
    with database(data, settings.database_url) as url, Stack(data / "logs") as stack:
        api = stack.start_api(url, settings.port, PRODSENTINEL_DATA_DIR=str(data))
        services = stack.start_fake_services(api, ports)
        if traffic:
            stack.start("traffic", "fake_services", "traffic", "--gateway", services["gateway"])
            stack.start_task("scenarios", "fake_services", "scenario", "all", "--url", api)
        _print_places(api, services, url, data)
        return asyncio.run(_watch(stack, url))


def _print_places(api: str, services: dict[str, str], url: str, data: Path) -> None:
    console.print("[bold]ProdSentinel is up.[/] Ctrl-C stops it.\n")
    places = {
        "the page": api,
        "incidents": f"{api}/api/incidents",
        "known issues": f"{api}/api/known-issues",
        "API documents": f"{api}/schema",
        "metrics": f"{api}/metrics",
        "fail a checkout": f"curl -X POST {services['gateway']}/checkout/raw-sql-1",
        "and read why": f"curl {api}/api/chains/<the correlation_id it answers>",
        "every known issue": "happens once in the first minute; scenarios.log says more",
        "other faults": "uuid-json-1, bad-dsn-1, and mystery-1, which no document explains",
        "database": make_url(url).render_as_string(hide_password=True),
        "logs": str(data / "logs"),
    }
    for name, place in places.items():
        _say(f"  {name:<18} {place}")
    _say("")


def _say(text: str, *, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


async def _watch(stack: Stack, url: str) -> int:
    """One live line; ends with 1 when a process ends by itself."""
    connection = await asyncpg.connect(asyncpg_dsn(url))
    with contextlib.closing(_LiveLine()) as line:
        try:
            while True:
                line.show(await connection.fetchrow(COUNTS))
                if ended := stack.stopped():
                    raise StackError(f"{ended.name} ended by itself; its log is {ended.log}")
                await asyncio.sleep(1)
        finally:
            await connection.close()


class _LiveLine:
    """A line that renews itself on a terminal; elsewhere one line every half minute."""

    def __init__(self) -> None:
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._due = 0.0
        if self._live:
            self._live.start()

    def show(self, counts: asyncpg.Record) -> None:
        text = (
            f"{counts['records']:,} records stored · {counts['failing']:,} chains failing · "
            f"{counts['open']:,} incidents open · {counts['matched']:,} matched to a known issue"
        )
        if self._live:
            self._live.update(Text(text), refresh=True)
        elif time.monotonic() >= self._due:
            _say(text)
            self._due = time.monotonic() + PLAIN_SECONDS

    def close(self) -> None:
        if self._live:
            self._live.stop()


def run_verify(settings: Settings, data: Path | None) -> int:
    """Start all of it on free ports, check it end to end, throw an embedded database away."""
    with (
        _verify_directory(data) as directory,
        database(directory, settings.database_url) as url,
        Stack(directory / "logs") as stack,
    ):
        ports = free_ports(4)
        api = stack.start_api(
            url,
            ports[0],
            PRODSENTINEL_QUIET_SECONDS="0.5",
            PRODSENTINEL_DATA_DIR=str(directory),
        )
        services = stack.start_fake_services(api, ports[1:])
        return _verify(api, services["gateway"], url)


@contextlib.contextmanager
def _verify_directory(data: Path | None) -> Iterator[Path]:
    if data:
        yield data.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="prodsentinel-") as directory:
        yield Path(directory)


def _verify(api: str, gateway: str, url: str) -> int:
    script = environment.ROOT / "scripts" / "verify_integration.py"
    arguments = ["--api", api, "--gateway", gateway, "--database-url", url]
    return subprocess.run([sys.executable, str(script), *arguments], check=False).returncode


if __name__ == "__main__":
    main()
