"""`python -m fake_services gateway|payment|inventory|traffic|scenario`."""

import asyncio
import importlib
import logging
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import click
import structlog
import uvicorn

from fake_services.settings import Settings, WrongSetting, check_address, read_settings
from fake_services.traffic import stream


@click.group()
def main() -> None:
    """Small shop services that fail for real, and traffic for them."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _serve(service: str, **given: str | None) -> None:
    variables = dict(os.environ)
    variables.update({name: value for name, value in given.items() if value is not None})
    try:
        settings = read_settings(service, variables)
    except WrongSetting as error:
        raise click.UsageError(str(error)) from error
    _run(settings)


def _run(settings: Settings) -> None:
    # uvicorn raises the signal again once it has shut down; without these that would end
    # the process as killed, or with a KeyboardInterrupt on the screen.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    # Only its own module: the gateway need not wait for SQLAlchemy to be imported.
    module = importlib.import_module(f"fake_services.{settings.service}")
    config = uvicorn.Config(
        module.create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run()


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


@main.command("gateway")
@click.option("--port", help="Port to listen on; GATEWAY_PORT, else 8101.")
@click.option("--payment-url", help="Address of payment; PAYMENT_URL.")
def serve_gateway(port: str | None, payment_url: str | None) -> None:
    """Serve the API gateway."""
    _serve("gateway", GATEWAY_PORT=port, PAYMENT_URL=payment_url)


@main.command("payment")
@click.option("--port", help="Port to listen on; PAYMENT_PORT, else 8102.")
@click.option("--inventory-url", help="Address of inventory; INVENTORY_URL.")
def serve_payment(port: str | None, inventory_url: str | None) -> None:
    """Serve the payment service."""
    _serve("payment", PAYMENT_PORT=port, INVENTORY_URL=inventory_url)


@main.command("inventory")
@click.option("--port", help="Port to listen on; INVENTORY_PORT, else 8103.")
def serve_inventory(port: str | None) -> None:
    """Serve the inventory service."""
    _serve("inventory", INVENTORY_PORT=port)


@main.command()
@click.option("--gateway", "gateway_url", default="http://127.0.0.1:8101", show_default=True)
@click.option("--rate", type=click.FloatRange(0.1, 50), default=2.0, show_default=True)
@click.option("--for", "seconds", type=click.FloatRange(0.1), help="Stop after so many seconds.")
def traffic(gateway_url: str, rate: float, seconds: float | None) -> None:
    """Send orders, most of them good, until told to stop."""
    try:
        address = check_address("--gateway", gateway_url)
    except WrongSetting as error:
        raise click.UsageError(str(error)) from error
    asyncio.run(stream(address, rate=rate, seconds=seconds))


@main.command()
@click.argument("name", metavar="NAME|all|list")
@click.option("--url", help="Where ProdSentinel is; PRODSENTINEL_URL, else http://127.0.0.1:8000.")
@click.option("--database-url", default="", help="A PostgreSQL to use (default: an embedded one).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def scenario(name: str, url: str | None, database_url: str, *, as_json: bool) -> None:
    """Make known issues happen for real: one, all of them, or only list them."""
    address = url or os.environ.get("PRODSENTINEL_URL", "http://127.0.0.1:8000")
    # Late, like the services: what all the scenarios import takes two seconds.
    command = importlib.import_module("fake_services.scenarios.command")
    sys.exit(command.run(name, address, database_url, as_json=as_json))


if __name__ == "__main__":
    main(prog_name="python -m fake_services")
