"""What one fake service must know, read and checked once at start."""

from collections.abc import Mapping
from typing import Final

import httpx
import msgspec

DEFAULT_PORTS: Final = {"gateway": 8101, "payment": 8102, "inventory": 8103}
SHORTEST_TIMEOUT: Final = 0.5
LONGEST_TIMEOUT: Final = 2.0
HIGHEST_PORT: Final = 65535


class WrongSetting(Exception):
    """A setting cannot be used; the text names the variable and what it should look like."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one service; addresses carry no trailing slash."""

    service: str
    host: str = "127.0.0.1"
    port: int
    prodsentinel_url: str
    telemetry_timeout: float
    """Seconds that one log record may take on its way to ProdSentinel."""
    payment_url: str
    inventory_url: str
    database_url: str
    environment: str
    release: str


def read_settings(service: str, given: Mapping[str, str]) -> Settings:
    """Settings of `service` from variables such as `os.environ`; raises `WrongSetting`."""
    port_variable = f"{service.upper()}_PORT"
    return Settings(
        service=service,
        host=given.get("FAKE_SERVICES_HOST", "127.0.0.1"),
        port=_port(given, port_variable, DEFAULT_PORTS[service]),
        prodsentinel_url=_address(given, "PRODSENTINEL_URL", "http://127.0.0.1:8000"),
        telemetry_timeout=_timeout(given, "TELEMETRY_TIMEOUT", 1.0),
        payment_url=_address(given, "PAYMENT_URL", _local(DEFAULT_PORTS["payment"])),
        inventory_url=_address(given, "INVENTORY_URL", _local(DEFAULT_PORTS["inventory"])),
        database_url=given.get(
            "INVENTORY_DATABASE_URL",
            "postgresql+asyncpg://inventory@127.0.0.1:5432/inventory",
        ),
        environment=given.get("ENVIRONMENT", "demo"),
        release=given.get("RELEASE", "fake-services@1"),
    )


def check_address(variable: str, value: str) -> str:
    """`value` without trailing slash when it is a usable HTTP address, else `WrongSetting`."""
    wrong = f"{variable}: {value!r} is not an HTTP address such as http://127.0.0.1:8000"
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL as error:
        raise WrongSetting(wrong) from error
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment:
        raise WrongSetting(wrong)
    return value.rstrip("/")


def _address(given: Mapping[str, str], variable: str, default: str) -> str:
    return check_address(variable, given.get(variable, default))


def _local(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _port(given: Mapping[str, str], variable: str, default: int) -> int:
    value = given.get(variable, str(default))
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= HIGHEST_PORT):
        raise WrongSetting(f"{variable}: {value!r} is not a port between 1 and {HIGHEST_PORT}")
    return int(value)


def _timeout(given: Mapping[str, str], variable: str, default: float) -> float:
    value = given.get(variable, str(default))
    wrong = f"{variable}: {value!r} is not a number of seconds between 0.5 and 2, such as 1.0"
    try:
        seconds = float(value)
    except ValueError as error:
        raise WrongSetting(wrong) from error
    if not SHORTEST_TIMEOUT <= seconds <= LONGEST_TIMEOUT:
        raise WrongSetting(wrong)
    return seconds
