"""Chains for the waterfall: one over five services that has everything, and a long one."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

Record = dict[str, Any]
RICH: Final = "checkout-5512"
LONG: Final = "import-900"
LONG_RECORDS: Final = 900
TRACEBACK: Final = """Traceback (most recent call last):
  File "/usr/lib/python3.12/site-packages/starlette/routing.py", line 73, in app
    response = await f(request)
  File "/usr/lib/python3.12/site-packages/fastapi/routing.py", line 301, in app
    raw_response = await run_endpoint_function(dependant=dependant)
  File "/srv/ledger/app/routes.py", line 22, in book
    return await accounts.book(order)
  File "/srv/ledger/app/accounts.py", line 88, in book
    raise LedgerClosed(f"ledger of {order.month} is closed")
app.accounts.LedgerClosed: ledger of 2026-10 is closed
"""


def send_chains(url: str) -> None:
    """Raises `AssertionError` when the service does not take them all."""
    for records in (rich(), long()):
        answer = httpx.post(f"{url}/ingest/logs", json=records, timeout=30)
        assert answer.json()["accepted"] == len(records), answer.text


def _step(moment: datetime, who: str, message: str, level: str = "info", **more: Any) -> Record:
    """`who` is the service, its span and that of its caller."""
    service, span, *above = who.split()
    record = {
        "service": service, "span_id": span * 16, "message": message, "level": level,
        "timestamp": moment.isoformat(), "environment": "prod", "release": "3.1.0",
        "instance": f"{service}-eu-1",
    }  # fmt: skip
    if above:
        record["parent_span_id"] = above[0] * 16
    return {**record, **more}


def rich() -> list[Record]:
    """Payment's clock is 2.3 s ahead, ledger fails, three attempts, and a number never came."""
    start = datetime.now(UTC) - timedelta(minutes=4)

    def at(milliseconds: float) -> datetime:
        return start + timedelta(milliseconds=milliseconds)

    ahead = 2300
    closed = {
        "type": "app.accounts.LedgerClosed",
        "message": "ledger of 2026-10 is closed",
        "stacktrace": TRACEBACK,
    }
    records = [
        _step(at(0), "gateway a", "POST /checkout", sequence=1),
        _step(at(3), "gateway a", "calling order", sequence=2),
        _step(at(9), "order b a", "request received from gateway"),
        _step(at(14), "order b a", "calling payment", attributes={"amount": 4210}),
        _step(at(ahead + 20), "payment c b", "charging card of customer 77"),
    ]
    for number, span in enumerate("def"):
        begin = 40 + number * 60
        records += [
            _step(at(begin), f"ledger {span} c", "booking order 5512"),
            _step(at(begin + 18), f"ledger {span} c", "booking failed", "error",
                  exception=closed, attributes={"attempt": number + 1, "month": "2026-10"}),
        ]  # fmt: skip
    return [
        {"correlation_id": RICH, **one}
        for one in [
            *records,
            _step(at(ahead + 221), "payment c b", "ledger answered 500", "error"),
            _step(at(233), "order b a", "payment failed with 502", "error"),
            _step(at(240), "gateway a", "POST /checkout 502", "error", sequence=5),
            _step(at(229), "mailer 9 b", "sorry mail queued", "warning"),
        ]
    ]


def long() -> list[Record]:
    """Quiet work, and one error far into it."""
    start = datetime.now(UTC) - timedelta(minutes=30)
    records = []
    for number in range(LONG_RECORDS):
        who = ("importer a", "storage b a", "search b a")[number % 3]
        moment = start + timedelta(milliseconds=number * 7)
        record = _step(moment, who, f"row {number} stored")
        if number == LONG_RECORDS - 200:
            record |= {"level": "error", "message": "row holds a character that search refuses"}
        records.append({"correlation_id": LONG, **record})
    return records
