"""The page of a chain, as the server draws it."""

import asyncio
import gzip
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from app.pages.chain.paging import READ_AT_ONCE
from app.pages.chain.showing import OPENED
from tests.browser.chain_stage import LONG, RICH, long, rich

pytestmark = pytest.mark.anyio
BROWSER: Final = {"Accept": "text/html"}
PART: Final = {**BROWSER, "HX-Request": "true", "HX-Request-Type": "partial"}


async def _send(client: httpx.AsyncClient, records: list[dict[str, Any]]) -> None:
    answer = await client.post("/ingest/logs", json=records)
    assert answer.json()["accepted"] == len(records), answer.text


async def _page(client: httpx.AsyncClient, path: str, **headers: str) -> str:
    answer = await client.get(path, headers={**BROWSER, **headers})
    assert answer.status_code == 200, answer.text
    return answer.text


async def _settled(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    """The chain once it has its incident: records may wait in a spool, and for the digest."""
    for _ in range(300):
        answer = await client.get(f"/api/chains/{name}")
        if answer.status_code == 200 and answer.json()["incident_id"]:
            return dict(answer.json())
        await asyncio.sleep(0.1)
    pytest.fail(f"{name} has no incident")


def _rows(html: str) -> list[str]:
    """The text of each row of the waterfall."""
    lines = re.findall(r'<(?:summary|div|a) class="line".*?</(?:summary|div|a)>', html, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", one)).split()) for one in lines]


async def test_a_chain_shows_root_order_attempts_gaps_and_skew(client: httpx.AsyncClient) -> None:
    await _send(client, rich())

    html = await _page(client, f"/chains/{RICH}")

    rows = _rows(html)
    assert "app.accounts.LedgerClosed: ledger of 2026-10 is closed" in unescape(html)
    assert [row.split()[-2:] for row in rows if " root " in row] == [["booking", "failed"]]
    assert sum("attempt" in row for row in rows) == 2
    order = [next(n for n, row in enumerate(rows) if said in row) for said in (
        "POST /checkout", "calling order", "charging card", "root booking failed",
        "ledger answered 500", "payment failed with 502", "POST /checkout 502",
    )]  # fmt: skip
    assert order == sorted(order)
    assert html.count('class="record is-error follows"') == 3
    missing = "2 records never arrived from gateway № 3\N{EN DASH}4 of gateway-eu-1"
    assert f"gateway missing {missing}" in rows
    assert html.count('class="hatched"') == 2
    assert "clock of payment (payment-eu-1) is 2.30 s ahead of order" in unescape(html)
    assert "clock of ledger" not in html


async def test_the_top_of_a_failing_chain_tells_what_began_it_and_what_to_do_without_a_click(
    client: httpx.AsyncClient,
) -> None:
    failed = datetime.now(UTC) - timedelta(minutes=3)
    await _send(client, [
        {"service": "gateway", "message": "POST /orders", "correlation_id": "o-1",
         "timestamp": (failed - timedelta(seconds=1)).isoformat()},
        {"service": "payment", "message": "POST /payments failed", "correlation_id": "o-1",
         "timestamp": failed.isoformat(), "level": "error",
         "exception": {"type": "TypeError",
                       "message": "Object of type UUID is not JSON serializable"}},
    ])  # fmt: skip

    chain = await _settled(client, "o-1")
    html = await _page(client, "/chains/o-1")

    top = unescape(html[html.index("<h1") : html.index("What happened")])
    cause, fix = top.split('<div class="cause-fix">')
    assert "TypeError: Object of type UUID is not JSON serializable</h1>" in cause
    assert "payment" in cause
    assert f"{failed:%Y-%m-%d %H:%M:%S} UTC" in cause
    assert "POST /payments failed" in cause
    for told in ("exact", "UUID", f"/incidents/{chain['incident_id']}"):
        assert told in fix
    shown = fix[: fix.index("Open the incident")]
    first = chain["match"]["fix"].strip().split()[:3]
    assert " ".join(first).strip("`") in re.sub(r"<[^>]+>", "", shown)
    assert "<details" not in shown


async def test_a_record_opens_to_its_own_frames_before_those_of_libraries(
    client: httpx.AsyncClient,
) -> None:
    await _send(client, rich())

    html = await _page(client, f"/chains/{RICH}")

    opened = html[html.index("Root cause") :]
    own, library = opened.index("/srv/ledger/app/accounts.py"), opened.index("library frames")
    assert own < opened.index("/srv/ledger/app/routes.py") < library
    assert library < opened.index("site-packages/starlette/routing.py")
    assert "Before and after" in opened
    assert "Copy JSON" in opened


async def test_a_long_chain_folds_what_is_quiet_and_opens_it_part_by_part(
    client: httpx.AsyncClient,
) -> None:
    await _send(client, long())

    html = await _page(client, f"/chains/{LONG}")

    folds = re.findall(r'<li class="folded"><a class="line" href="([^"]+)"', html)
    assert len(_rows(html)) < 10
    assert [one for one in _rows(html) if "search refuses" in one]
    part = await _page(client, unescape(folds[0]), **PART)
    assert "<html" not in part
    assert _rows(part)[-2].endswith("row 199 stored")
    more = re.search(r'class="folded more"><a class="line" href="([^"]+)"', part)
    assert more is not None
    rest = await _page(client, unescape(more[1]), **PART)
    assert _rows(rest)[0].endswith("row 200 stored")


async def test_a_chain_too_long_to_read_at_once_is_walked_to_its_end(
    client: httpx.AsyncClient,
) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    records = [
        {"service": "import", "message": f"row {n}", "correlation_id": "endless",
         "timestamp": (start + timedelta(milliseconds=n)).isoformat(),
         "level": "error" if n in (7, 700, 1400) else "info"}
        for n in range(1_700)
    ]  # fmt: skip
    await _send(client, records)

    path, seen, pages = "/chains/endless", list[str](), 0
    while path:
        html = await _page(client, path)
        pages += 1
        unread = re.search(r'href="(/chains/endless\?after=[^"&]+)"><span class="at"></span><span '
                           r'class="who"></span><span class="level">unread', html)  # fmt: skip
        seen += re.findall(r"ERROR (?:.*? )??(row \d+)", "\n".join(_rows(html)))
        assert pages > 1 or "1,700 records were read" in html
        path = unescape(unread[1]) if unread else ""

    assert pages == math.ceil(1_700 / READ_AT_ONCE)
    assert set(seen) == {"row 7", "row 700", "row 1400"}


async def test_an_address_opens_a_record_that_the_first_page_did_not_read(
    client: httpx.AsyncClient,
) -> None:
    start = datetime(2026, 11, 21, 10, tzinfo=UTC)
    await _send(client, [
        {"service": "import", "message": f"row {n}", "correlation_id": "endless",
         "timestamp": (start + timedelta(milliseconds=n)).isoformat(),
         "record_id": str(UUID(int=n))}
        for n in range(1, 1_501)
    ])  # fmt: skip

    without = await _page(client, f"/chains/endless?record={UUID(int=750)}")
    html = await _page(
        client, f"/chains/endless?record={UUID(int=750)}&at=2026-11-21T10:00:00.750Z"
    )

    assert f'id="r-{UUID(int=750)}"' not in without
    assert f'id="r-{UUID(int=750)}">\n<details open>' in html
    assert "The chain from its beginning" in html


async def test_records_that_hold_much_are_opened_when_they_are_asked_for(
    client: httpx.AsyncClient,
) -> None:
    text = " ".join(uuid4().hex for _ in range(1_800))
    await _send(client, [
        {"service": "import", "message": f"{n} {text}", "level": "error", "correlation_id": "much"}
        for n in range(30)
    ])  # fmt: skip

    answer = await client.get("/chains/much", headers={**BROWSER, "Accept-Encoding": "gzip"})

    assert len(gzip.compress(answer.content)) < 100_000
    assert answer.text.count('hx-trigger="toggle once"') == 30
    assert answer.text.count("Open this record") == 30


async def test_only_the_roots_come_opened_and_others_when_they_are_asked_for(
    client: httpx.AsyncClient,
) -> None:
    await _send(client, [
        {"service": "import", "message": f"row {n} refused", "correlation_id": "refused",
         "level": "error" if n % 2 else "info",
         "exception": {"type": f"Refused{chr(65 + n)}", "message": "no"} if n % 2 else None}
        for n in range(20)
    ])  # fmt: skip

    html = await _page(client, "/chains/refused")

    assert 1 <= html.count('class="log-opened"') <= OPENED
    assert html.count("Open this record") == 20 - html.count('class="log-opened"')


async def test_a_chain_that_is_not_there_says_so(client: httpx.AsyncClient) -> None:
    unknown = await client.get("/chains/never-seen", headers=BROWSER)
    unsafe = await client.get("/chains/%3Cscript%3Ealert(1)%3C/script%3E", headers=BROWSER)
    cursor = await client.get("/chains/never-seen?after=made-up", headers=BROWSER)

    assert (unknown.status_code, unsafe.status_code, cursor.status_code) == (404, 404, 400)
    assert "No log record carries this correlation ID" in unknown.text
    assert "<script>alert" not in unsafe.text


async def test_a_chain_with_what_an_incident_kept_of_it_says_so(
    client: httpx.AsyncClient, connection: Any
) -> None:
    await _send(client, rich())
    await _settled(client, RICH)
    await connection.execute("DELETE FROM log_records")

    html = await _page(client, f"/chains/{RICH}")

    assert "The records are older than what is kept" in html
    assert [row for row in _rows(html) if "root booking failed" in row]


async def test_a_chain_of_which_nothing_is_left_leads_to_its_incident(
    client: httpx.AsyncClient, connection: Any
) -> None:
    await _send(client, rich())
    incident = (await _settled(client, RICH))["incident_id"]
    await connection.execute("DELETE FROM log_records")
    await connection.execute("DELETE FROM incident_evidence")

    answer = await client.get(f"/chains/{RICH}", headers=BROWSER)

    assert answer.status_code == 404
    assert f'href="/incidents/{incident}"' in answer.text


async def test_the_number_of_statements_does_not_grow_with_the_records(
    client: httpx.AsyncClient,
) -> None:
    await _send(client, rich())
    await _send(client, long()[:400])
    for name in (RICH, LONG):
        await _page(client, f"/chains/{name}")

    with _statements() as of_short:
        await _page(client, f"/chains/{RICH}")
    with _statements() as of_long:
        await _page(client, f"/chains/{LONG}")

    assert 0 < len(of_long) <= len(of_short) <= 14


@contextmanager
def _statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        # Others work beside the requests: only what is read of chains is counted.
        if statement.lstrip().upper().startswith("SELECT"):
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def test_a_chain_is_told_as_markdown(client: httpx.AsyncClient) -> None:
    await _send(client, rich())

    answer = await client.get(f"/chains/{RICH}?format=md")

    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert "**Root cause in `ledger`** (likely): `booking failed`" in answer.text
    assert re.search(r"70\.0 ms  ERROR +ledger: booking failed ◀ root", answer.text)


async def test_a_record_of_a_chain_opens_to_the_one_page_that_a_record_has(
    client: httpx.AsyncClient,
) -> None:
    await _send(client, rich())

    html = await _page(client, f"/chains/{RICH}")
    addresses = {unescape(one) for one in re.findall(r'href="(/[^"]*record_id=[^"]*)"', html)}
    pages = [await _page(client, one) for one in addresses]
    parts = [await _page(client, one, **PART) for one in addresses]
    elsewhere = await client.get(addresses.pop().replace(RICH, "other"), headers=BROWSER)

    assert "/records/" not in html
    assert {urlsplit(one).path for one in addresses} == {"/logs/record"}
    assert all('id="context"' in one and f"/chains/{RICH}?record=" in one for one in pages)
    assert all("<html" not in one and "Copy JSON" in one for one in parts)
    assert elsewhere.status_code == 404
