"""One frozen Struct of settings, read and validated once at start."""

import difflib
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from dotenv import dotenv_values
from msgspec import Meta
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.errors import AppError

OF_SENDERS = frozenset({"PRODSENTINEL_URL"})
"""What services that send telemetry read; it means nothing here."""

CHECKOUT = Path(__file__).resolve().parent.parent


class InvalidSetting(AppError):
    """A setting has a value the service cannot run with."""


def _environment_name(field: str) -> str:
    return "DATABASE_URL" if field == "database_url" else f"PRODSENTINEL_{field.upper()}"


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename=_environment_name):
    """Every setting, its default, and in `Meta.description` the line `.env.example` shows."""

    database_url: Annotated[
        str,
        Meta(
            description="PostgreSQL 15 or newer, postgresql://user:password@host:5432/name; "
            "empty: an embedded server under the data directory."
        ),
    ] = ""
    data_dir: Annotated[
        str,
        Meta(
            description="Where the embedded PostgreSQL and the spool keep their files.",
            min_length=1,
        ),
    ] = "var"
    host: Annotated[str, Meta(description="Address the API listens on.", min_length=1)] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(description="Port the API listens on.", ge=1, le=65535)] = 8000
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="How much the service itself logs: debug, info, warning or error."),
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "console"],
        Meta(description="json, console, or auto: console on a terminal, else json."),
    ] = "auto"
    pool_size: Annotated[
        int, Meta(description="Database connections one process keeps.", ge=2, le=500)
    ] = 10
    pool_timeout_seconds: Annotated[
        float,
        Meta(description="How long a request waits for a connection before 503.", gt=0, le=60),
    ] = 5.0
    connect_timeout_seconds: Annotated[
        float, Meta(description="How long opening a connection may take.", gt=0, le=60)
    ] = 3.0
    statement_timeout_seconds: Annotated[
        float, Meta(description="How long one SQL statement may run.", gt=0, le=600)
    ] = 15.0
    search_connections: Annotated[
        int,
        Meta(
            description="Database connections one process keeps for searches, beside the others.",
            ge=1,
            le=100,
        ),
    ] = 4
    search_seconds: Annotated[
        float,
        Meta(
            description="How long one search may take; then it says how far it came.",
            ge=0.1,
            le=600,
        ),
    ] = 10.0
    max_body_bytes: Annotated[
        int,
        Meta(
            description="Largest JSON body, and longest NDJSON line, after decompression; "
            "larger gets 413.",
            ge=65_536,
            le=268_435_456,
        ),
    ] = 16_777_216
    max_stream_bytes: Annotated[
        int,
        Meta(
            description="Largest NDJSON body, after decompression; larger gets 413.",
            ge=65_536,
            le=1_099_511_627_776,
        ),
    ] = 1_073_741_824
    max_records: Annotated[
        int,
        Meta(description="Most records in one JSON array; more get 413.", ge=1, le=1_000_000),
    ] = 20_000
    max_bytes_in_flight: Annotated[
        int,
        Meta(
            description="Bodies between arrival and commit; over it 503, and over half of it "
            "429 for one sender.",
            ge=1_048_576,
            le=1_073_741_824,
        ),
    ] = 16_777_216
    body_timeout_seconds: Annotated[
        float,
        Meta(description="Longest pause inside a body before 408.", gt=0, le=600),
    ] = 10.0
    spool_max_bytes: Annotated[
        int,
        Meta(
            description="Largest local spool under the data directory, for when the database is "
            "away; 0: none, then records get 503.",
            ge=0,
            le=1_099_511_627_776,
        ),
    ] = 1_073_741_824
    spool_after_seconds: Annotated[
        float,
        Meta(
            description="How long the database may take to store records before they go to the "
            "spool.",
            gt=0,
            le=60,
        ),
    ] = 2.0
    quiet_seconds: Annotated[
        float,
        Meta(description="A chain is settled after this long without a new record.", ge=0, le=600),
    ] = 3.0
    digest_interval_seconds: Annotated[
        float,
        Meta(description="How often the digest looks for settled chains.", ge=0.05, le=60),
    ] = 0.5
    partitions_ahead_days: Annotated[
        int, Meta(description="Daily partitions made ahead of today.", ge=1, le=60)
    ] = 3
    retention_days: Annotated[
        int,
        Meta(description="Days that log records are kept; 0: for ever.", ge=0, le=36_500),
    ] = 30
    retention_bytes: Annotated[
        int,
        Meta(
            description="Most bytes of daily partitions, indexes included; "
            "over it the oldest days go; 0: no cap.",
            ge=0,
        ),
    ] = 0
    max_chain_records: Annotated[
        int,
        Meta(description="Most records of one chain that are read at once.", ge=100, le=1_000_000),
    ] = 10_000
    catalogue_dirs: Annotated[
        str,
        Meta(description="More directories of catalogue documents (*.md), separated by ':'."),
    ] = ""
    canary_rate: Annotated[
        float,
        Meta(
            description="Chains a second that the service writes to itself and reads back, "
            "told as metrics; 0: none.",
            ge=0,
            le=50,
        ),
    ] = 0.0

    public_url: Annotated[
        str,
        Meta(
            description="Where people reach this service, for links in alerts, "
            "https://sentinel.example.com; empty: alerts hold no links."
        ),
    ] = ""
    alert_private_targets: Annotated[
        bool,
        Meta(description="Whether alerts may go to private and loopback addresses: true or false."),
    ] = False
    alert_networks: Annotated[
        str,
        Meta(
            description="Networks that alerts may go to, whatever else is refused, "
            "as 10.1.0.0/16,fd00::/8."
        ),
    ] = ""

    def __post_init__(self) -> None:
        if self.database_url:
            _check_database_url(self.database_url)
        for directory in self.catalogue_paths():
            if not directory.is_dir():
                raise ValueError(
                    f"PRODSENTINEL_CATALOGUE_DIRS names {str(directory)!r}, which is no directory"
                )
        _check_public_url(self.public_url)
        self.alert_allowed_networks()

    @property
    def spool_directory(self) -> Path:
        return Path(self.data_dir) / "spool"

    def catalogue_paths(self) -> list[Path]:
        return [Path(part) for part in self.catalogue_dirs.split(":") if part]

    def alert_allowed_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        parts = (part.strip() for part in self.alert_networks.split(","))
        try:
            return tuple(ip_network(part) for part in parts if part)
        except ValueError as error:
            raise ValueError(f"PRODSENTINEL_ALERT_NETWORKS: {error}") from error


def _check_database_url(url: str) -> None:
    shape = "it should look like postgresql://user:password@host:5432/name"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ValueError(f"DATABASE_URL is not a URL; {shape}") from error
    if parsed.drivername.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ValueError(f"DATABASE_URL has the scheme {parsed.drivername!r}; {shape}")


def _check_public_url(url: str) -> None:
    shape = "it should look like https://sentinel.example.com"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError(f"PRODSENTINEL_PUBLIC_URL is not a URL; {shape}") from error
    is_usable = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    if url and (not is_usable or parts.query or parts.fragment):
        raise ValueError(f"PRODSENTINEL_PUBLIC_URL={url!r}: {shape}")


def environment_names() -> dict[str, str]:
    """Field name of each setting -> name of its environment variable."""
    return {field.name: field.encode_name for field in msgspec.structs.fields(Settings)}


def load_settings(environ: Mapping[str, str], *, directories: tuple[Path, ...] = ()) -> Settings:
    """Settings from a mapping, and below it the first `.env` found in `directories`.

    An empty value counts as not set. Raises `InvalidSetting`, whose text names the variable.
    """
    found = next((d / ".env" for d in directories if (d / ".env").is_file()), None)
    merged = {**(dotenv_values(found) if found else {}), **environ}
    names = set(environment_names().values())
    _refuse_unknown(merged, names)
    known = {name: merged[name] for name in names if merged.get(name)}
    for name in ("PRODSENTINEL_LOG_LEVEL", "PRODSENTINEL_LOG_FORMAT"):
        if value := known.get(name):
            known[name] = value.lower()
    try:
        return msgspec.convert(known, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidSetting(_explain(error, known)) from error


def _refuse_unknown(given: Mapping[str, str | None], names: set[str]) -> None:
    """A typo would otherwise leave a default in force, and nobody would know."""
    for name in given:
        if name.startswith("PRODSENTINEL_") and name not in names | OF_SENDERS:
            nearest = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            raise InvalidSetting(f"{name} is not a setting{hint}")


def _explain(error: msgspec.ValidationError, known: Mapping[str, str | None]) -> str:
    reason, _, place = str(error).partition(" - at `$.")
    name = place.rstrip("`")
    if not name:
        return reason
    return f"{name}={known[name]!r}: {_in_words(reason)}. {describe_settings()[name]}"


def _in_words(reason: str) -> str:
    reason = reason.replace("Expected `int`, got `str`", "it should be a whole number")
    reason = reason.replace("Expected `float`, got `str`", "it should be a number")
    reason = reason.replace("Expected `bool`, got `str`", "it should be true or false")
    for kind in ("`int`", "`float`", "`str`"):
        reason = reason.replace(f"Expected {kind}", "it should be")
    return reason


def describe_settings() -> dict[str, str]:
    """Environment variable -> one line on what it does."""
    lines = {}
    for field in msgspec.inspect.type_info(Settings).fields:  # type: ignore[attr-defined]
        extra = field.type
        lines[field.encode_name] = extra.extra_json_schema["description"]
    return lines


def settings_beside_service(environ: Mapping[str, str]) -> Settings:
    """For a command beside a running service, whose database must be named.

    Raises `InvalidSetting`.
    """
    settings = load_settings(environ, directories=dotenv_directories())
    if not settings.database_url:
        host = Path(settings.data_dir).resolve() / "postgres"
        raise InvalidSetting(
            "DATABASE_URL is not set: name the database of the running service. That of an "
            f"embedded server is postgresql://postgres:@/postgres?host={host}"
        )
    return settings


def dotenv_directories() -> tuple[Path, ...]:
    """Where a `.env` is looked for: the checkout, its parent, the working directory."""
    return (CHECKOUT, CHECKOUT.parent, Path.cwd())
