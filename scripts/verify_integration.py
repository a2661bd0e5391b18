"""Proves a running service end to end: a good and a failing checkout, followed to the fix.

It pings health, sends both checkouts through the gateway, looks for their records in PostgreSQL
itself, and then checks the chain, the incident and the match over the API. Exit code 0 or 1.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import environment

environment.enter(environment.RUN)

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import click
import httpx
from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel
from rich.text import Text

from app.database import asyncpg_dsn

FAULT = "raw-sql"
EXPECTED = "raw-sql-text"
PATIENCE_SECONDS = 20.0
STORED = "SELECT DISTINCT service FROM log_records WHERE correlation_id = $1"
console = Console()


class VerificationError(Exception):
    """A step did not show what it should; the message says which and what it showed."""


@click.command()
@click.option("--api", default="http://127.0.0.1:8000", help="Base URL of ProdSentinel.")
@click.option("--gateway", default="http://127.0.0.1:8101", help="Base URL of the gateway.")
@click.option("--database-url", default=lambda: os.environ.get("DATABASE_URL"), required=True)
def main(*, api: str, gateway: str, database_url: str) -> None:
    """Check a running ProdSentinel and its fake services end to end."""
    try:
        asyncio.run(verify(api, gateway, asyncpg_dsn(database_url)))
    except (VerificationError, httpx.HTTPError, OSError) as error:
        console.print(f"✗ {error!s}", style="red", markup=False)
        sys.exit(1)


async def verify(api: str, gateway: str, dsn: str) -> None:
    run = uuid.uuid4().hex[:8]
    async with httpx.AsyncClient(timeout=10) as http:
        health = await http.get(f"{api}/ingest/health")
        _require(health.status_code == httpx.codes.OK, f"health says {health.text}")
        _passed("health is ok")
        await _checkout(http, gateway, f"good-{run}", expected=httpx.codes.OK)
        failing = await _checkout(http, gateway, f"{FAULT}-{run}", expected=None)
        await _until("records of all three services in PostgreSQL", lambda: _stored(dsn, failing))
        chain = await _until(
            "an incident for the failing chain", lambda: _chain(http, api, failing)
        )
        incident = (await http.get(f"{api}/api/incidents/{chain['incident_id']}")).json()
    _check(chain, incident)
    _show(chain, incident)


async def _checkout(
    http: httpx.AsyncClient, gateway: str, order_id: str, *, expected: int | None
) -> str:
    """Send a checkout; its correlation ID. Without an `expected` status it must fail."""
    correlation_id = f"verify-{order_id}"
    answer = await http.post(
        f"{gateway}/checkout/{order_id}", headers={"X-Correlation-ID": correlation_id}
    )
    fits = answer.is_success if expected else answer.is_server_error
    _require(fits, f"checkout {order_id} answered {answer.status_code}: {answer.text[:200]}")
    _passed(f"checkout {order_id} answered {answer.status_code}")
    return correlation_id


async def _stored(dsn: str, correlation_id: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        services = {row["service"] for row in await connection.fetch(STORED, correlation_id)}
    finally:
        await connection.close()
    return services if len(services) == 3 else None  # noqa: PLR2004 - gateway, payment, inventory


async def _chain(http: httpx.AsyncClient, api: str, correlation_id: str) -> Any:
    answer = await http.get(f"{api}/api/chains/{correlation_id}")
    chain = answer.json() if answer.is_success else {}
    return chain if chain.get("incident_id") and chain.get("root") else None


async def _until(what: str, look: Callable[[], Awaitable[Any]]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := await look():
            _passed(what)
            return found
        await asyncio.sleep(0.1)
    raise VerificationError(f"waited {PATIENCE_SECONDS:.0f} s for {what}")


def _check(chain: dict[str, Any], incident: dict[str, Any]) -> None:
    root = chain["root"]
    _require(root["service"] == "inventory", f"the root is said to be in {root['service']}")
    _require(bool(chain["match"]), f"no known issue was matched to {root['title']}")
    matched = chain["match"]["known_issue_id"]
    _require(matched == EXPECTED, f"matched {matched} and not {EXPECTED}")
    _require(
        incident["root_signature_id"] == root["signature_id"],
        "the incident has another root signature than its chain",
    )
    _passed(f"the known issue is {matched}")


def _show(chain: dict[str, Any], incident: dict[str, Any]) -> None:
    root, match, place = chain["root"], chain["match"], chain["match"]["source"]
    facts = {
        "Failing chain": chain["correlation_id"],
        "Services": " → ".join(chain["services"]),
        "Root error": f"{root['service']}: {root['title']}",
        "Raised in": root["culprit"],
        "Incident": f"{incident['incident_id']} ({incident['status']})",
        "Known issue": f"{match['title']} ({match['tier']})",
        "Because": "; ".join(item["clause"] for item in match["evidence"]),
        "Written in": f"{place['document']}, lines {place['first_line']}-{place['last_line']}",
    }
    console.print()
    for name, value in facts.items():
        console.print(Text(f"{name:<14}", style="bold"), Text(value), soft_wrap=True)
    console.print(Panel(Markdown(match["fix"]), title="Fix", title_align="left"))


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise VerificationError(otherwise)


def _passed(what: str) -> None:
    console.print(f"✓ {what}", style="green", markup=False)


if __name__ == "__main__":
    main()
