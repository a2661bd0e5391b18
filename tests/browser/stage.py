"""What stands in the service that the browser tests look at."""

from datetime import datetime, timedelta
from typing import Any, Final

import httpx
import msgspec

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SCENARIOS: Final = (
    "raw-sql-text",
    "uuid-not-json-serializable",
    "asyncpg-dsn-scheme",
    "enum-drift",
)
"""Known issues that really happen, those that happen quickly."""
UNKNOWN_CHAINS: Final = 7
PAST_CHAINS: Final = 90


class Service(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    database_url: str

    def get(self, path: str) -> httpx.Response:
        """What the JSON API says."""
        return httpx.get(f"{self.url}{path}", timeout=20)

    def post(self, path: str, body: object) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=body, timeout=20)

    def incident(self, known_issue_id: str | None) -> str:
        """The ID of the incident that this known issue explains; None: of one that none does."""
        listed = self.get("/api/incidents?limit=500").json()["incidents"]
        return next(
            str(one["incident_id"]) for one in listed if one["known_issue_id"] == known_issue_id
        )

    def record(self, q: str) -> dict[str, str]:
        """What names the newest log record of a search."""
        found = self.get(f"/api/logs?limit=1&q={q}").json()["records"][0]
        return {name: str(found[name]) for name in ("correlation_id", "occurred_at", "record_id")}

    def chain(self, known_issue_id: str | None) -> str:
        """The correlation ID of a chain of that incident."""
        incident = self.get(f"/api/incidents/{self.incident(known_issue_id)}").json()
        return str(incident["sample_chains"][0]["correlation_id"])


def send_past(url: str, now: datetime) -> None:
    """Chains of the last hours: what no document knows, what one does, and what went well."""
    records = [one for number in range(UNKNOWN_CHAINS) for one in _unknown(number)]
    records += [one for number in range(PAST_CHAINS) for one in _past(number, now)]
    answer = httpx.post(f"{url}/ingest/logs", json=records, timeout=20)
    assert answer.json()["accepted"] == len(records)


def _past(number: int, now: datetime) -> list[dict[str, object]]:
    # Closer together the later it is, as it is with what gets worse.
    at = now - timedelta(minutes=2 + 1_300 * (number / PAST_CHAINS) ** 2)
    chain, shared = f"past-{number:03}", {"environment": "prod", "timestamp": at.isoformat()}
    failed = _FAILURES[number % len(_FAILURES)]
    return [
        {**shared, "correlation_id": chain, "service": "gateway", "release": "2.4.1",
         "instance": "gateway-2", "message": f"POST /orders {chain}"},
        {**shared, "correlation_id": chain, "instance": "1", **failed},
        *({**shared, "service": "search", "release": "5.0.2", "instance": "search-1",
           "message": f"query took {n} ms"} for n in range(6)),
    ]  # fmt: skip


def _unknown(number: int) -> list[dict[str, object]]:
    chain = f"order-77{number:02}"
    shared: dict[str, object] = {"correlation_id": chain, "environment": "prod"}
    return [
        {**shared, "service": "gateway", "release": "2.4.1", "instance": "gateway-1",
         "sequence": number * 3 + 1, "message": f"POST /checkout {chain}", "level": "info"},
        {**shared, "service": "tariff", "release": "0.9.0", "instance": "tariff-1",
         "level": "error", "message": "tariff table has no row for zone",
         "exception": {"type": "ZoneMissing", "message": "no tariff for zone QX-9",
                       "stacktrace": _TRACEBACK}},
        {**shared, "service": "gateway", "release": "2.4.1", "instance": "gateway-1",
         "sequence": number * 3 + 2, "level": "error", "message": "upstream tariff answered 500"},
    ]  # fmt: skip


_FAILURES: Final[tuple[dict[str, Any], ...]] = (
    {"service": "payment", "release": "1.8.0", "level": "error", "message": "charge failed",
     "exception": {"type": "TypeError", "message": "Object of type UUID is not JSON serializable",
                   "stacktrace": "TypeError: Object of type UUID is not JSON serializable"}},
    {"service": "invoice", "release": "3.1.0", "level": "error", "message": "invoice not drawn",
     "exception": {"type": "LedgerClosed", "message": "ledger of 2026-10 is closed"}},
    {"service": "payment", "release": "1.8.0", "level": "error", "message": "charge failed",
     "exception": {"type": "TypeError", "message": "Object of type UUID is not JSON serializable",
                   "stacktrace": "TypeError: Object of type UUID is not JSON serializable"}},
    {"service": "search", "release": "5.0.2", "level": "info", "message": "nothing wrong"},
)  # fmt: skip
_TRACEBACK: Final = """Traceback (most recent call last):
  File "/srv/tariff/app/quote.py", line 41, in quote
    row = table.zone(zone)
  File "/srv/tariff/app/table.py", line 17, in zone
    raise ZoneMissing(f"no tariff for zone {zone}")
app.table.ZoneMissing: no tariff for zone QX-9
"""
