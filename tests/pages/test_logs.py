"""The pages of log records, drawn: what they show, what they refuse, what they never trust."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, event

from tests.pages.html import foreign_parts, read_html
from tests.pages.payloads import PAYLOADS

pytestmark = pytest.mark.anyio
NOW = datetime.now(UTC)


async def send(client: httpx.AsyncClient, *records: Mapping[str, Any]) -> None:
    """The first is the oldest."""
    dated = [
        {"timestamp": (NOW - timedelta(seconds=60 - n)).isoformat(), **one}
        for n, one in enumerate(records)
    ]
    answer = await client.post("/ingest/logs", json=dated)
    assert answer.json()["accepted"] == len(records)


async def test_records_come_newest_first_with_their_columns(client: httpx.AsyncClient) -> None:
    await send(
        client,
        {"service": "payment", "message": "sent-early"},
        {"service": "gateway", "message": "sent-late", "level": "error", "attributes": {"ms": 41}},
    )

    usual = (await client.get("/logs")).text
    chosen = (await client.get("/logs", params={"columns": ["attr.ms", "nonsense"]})).text

    assert usual.index("sent-late") < usual.index("sent-early")
    assert "payment" in usual
    assert 'title="41"' in chosen
    assert "nonsense" not in chosen


async def test_records_older_than_a_page_follow_behind_a_cursor(client: httpx.AsyncClient) -> None:
    await send(client, *({"service": "payment", "message": f"number-{n}-"} for n in range(130)))

    first = (await client.get("/logs?q=service:payment")).text
    older = re.search(r'href="([^"]+after=[^"]+)" rel="next"', first)
    assert older
    second = (await client.get(unescape(older[1]))).text

    assert (first.count('class="log '), second.count('class="log ')) == (100, 30)
    assert "number-30-" in first
    assert "number-29-" in second
    assert ">Newest<" in second


async def test_what_cannot_be_read_is_said_where_it_was_written(client: httpx.AsyncClient) -> None:
    column = await client.get("/logs", params={"q": 'service:payment "level'})
    moment = await client.get("/logs", params={"q": "declined", "from": "noon"})
    crossed = await client.get("/logs", params={"from": "-1h", "to": "-2h"})
    too_long = await client.get("/logs", params={"q": "x" * 16_001})
    nul = await client.get("/logs", params={"q": "a\0b"})

    assert [one.status_code for one in (column, moment, crossed, too_long, nul)] == [400] * 5
    assert "column 17" in column.text
    assert 'value="service:payment &#34;level"' in column.text
    assert "noon" in moment.text
    assert 'value="declined"' in moment.text
    assert "exchange them" in crossed.text
    assert "16,000" in too_long.text


async def test_a_search_without_a_finding_says_what_to_widen(client: httpx.AsyncClient) -> None:
    await send(client, {"service": "payment", "message": "declined"})

    html = (await client.get("/logs?q=service:payment+level:error&from=-1h")).text
    offers = dict(re.findall(r'<a href="(/logs\?[^"]+)">(look back 6h|without [^<]+)</a>', html))

    assert sorted(offers.values()) == [
        "look back 6h",
        "without level:error",
        "without service:payment",
    ]
    for address, label in offers.items():
        found = (await client.get(unescape(address))).text
        assert ("declined" in found) == (label == "without level:error")


async def test_facets_put_terms_in_and_take_them_out(client: httpx.AsyncClient) -> None:
    name = 'pay "desk": 1'
    await send(client, {"service": name, "message": "a"}, {"service": "gateway", "message": "b"})

    html = (await client.get("/logs/facets")).text
    by_title = {
        one["title"]: one["href"]
        for tag, one in read_html(html).elements
        if tag == "a" and "title" in one
    }
    only = await client.get(by_title[name])
    without = await client.get(by_title[f"Exclude {name}"])

    assert row_count(only.text) == 1
    assert row_count(without.text) == 1
    assert name in " ".join(read_html(only.text).text)
    assert 'class="log-message">b<' in without.text


async def test_a_record_that_is_gone_is_a_page_that_says_so(client: httpx.AsyncClient) -> None:
    address = "/logs/record?correlation_id=c&occurred_at=2026-11-20T12:00:00Z&record_id="
    gone = await client.get(address + "0b5e1c1e-9c43-4d3a-8f0e-5a1c5a1d2e3f")
    inside = await client.get(
        address + "0b5e1c1e-9c43-4d3a-8f0e-5a1c5a1d2e3f",
        headers={"HX-Request": "true", "HX-Request-Type": "partial"},
    )
    nonsense = await client.get(address + "seven")
    zoneless = await client.get(
        "/logs/record?correlation_id=c&occurred_at=2026-11-20T12:00:00"
        "&record_id=0b5e1c1e-9c43-4d3a-8f0e-5a1c5a1d2e3f"
    )

    assert (gone.status_code, nonsense.status_code, zoneless.status_code) == (404, 400, 404)
    assert "<h1>" in gone.text
    assert inside.status_code == 404
    assert "<html" not in inside.text
    assert "No log record" in inside.text


async def test_scripts_in_records_and_searches_are_only_text(client: httpx.AsyncClient) -> None:
    await send(
        client,
        *(
            {"service": text[:200], "message": text, "level": "error", "release": text[:100],
             "instance": text[:100], "environment": text[:100],
             "exception": {"type": text, "message": text, "stacktrace": f"{text}\n  at {text}"},
             "attributes": {text: text, "nested": {text: [text]}}}
            for text in PAYLOADS
        ),
    )  # fmt: skip
    columns = ["service", "release", *(f"attr.{text}" for text in PAYLOADS[:8])]
    listed = await client.get("/logs", params={"columns": columns})
    records = re.findall(r'hx-get="(/logs/record[^"]+)"', listed.text)
    pages = [
        listed,
        await client.get("/logs/facets"),
        await client.get("/logs/histogram"),
        *[await client.get(unescape(one), params=None) for one in records],
        *[
            await client.get(path, params={"q": text, "from": text, "to": text, "columns": text})
            for text in PAYLOADS
            for path in ("/logs", "/logs/saved")
        ],
    ]

    assert len(records) == len(PAYLOADS) >= 40
    assert [part for page in pages for part in foreign_parts(page.text)] == []
    assert max(page.status_code for page in pages) < 500
    told = "".join(read_html(listed.text).text)
    assert [text for text in PAYLOADS if text not in told] == []


async def test_a_page_takes_as_many_statements_however_many_records_it_shows(
    client: httpx.AsyncClient,
) -> None:
    address = "/logs?q=correlation:order-7"
    await send(client, *(failing(n) for n in range(2)))
    few = await statements_of(client, address)
    await send(client, *(failing(n) for n in range(2, 90)))
    many = await statements_of(client, address)

    assert row_count((await client.get(address)).text) == 90
    assert few == many
    assert 2 <= len(few) <= 6


async def test_an_export_behind_a_link_is_that_of_the_search(client: httpx.AsyncClient) -> None:
    await send(
        client, {"service": "payment", "message": "a"}, {"service": "gateway", "message": "b"}
    )

    lines = await client.get("/logs/export?q=service:payment&format=ndjson")
    table = await client.get("/logs/export?q=service:payment&format=csv")

    assert [json.loads(line)["message"] for line in lines.text.splitlines()] == ["a"]
    assert table.text.splitlines()[1].split(",")[2] == "payment"
    assert "attachment" in table.headers["content-disposition"]


async def test_a_saved_search_is_kept_refused_replaced_and_deleted(
    client: httpx.AsyncClient,
) -> None:
    form = {"name": "night", "q": "level:error", "columns": "service"}
    saved = await client.post("/logs/saved", data=form)
    again = await client.post("/logs/saved", data={**form, "q": "other"})
    replaced = await client.post("/logs/saved", data={**form, "q": "other", "replace": "yes"})
    misnamed = await client.post("/logs/saved", data={**form, "name": "-no"})
    kept = (await client.get("/api/saved-searches/night")).json()
    deleted = await client.post("/logs/saved/night/delete")
    gone = await client.post("/logs/saved/night/delete")

    assert [one.status_code for one in (saved, again, replaced, misnamed, deleted, gone)] == [
        303, 409, 303, 400, 303, 404,
    ]  # fmt: skip
    assert saved.headers["location"] == "/logs?q=level%3Aerror&columns=service"
    assert "No search is saved under this name" in gone.text
    assert kept["link"].endswith("/logs?q=other&columns=service")
    assert 'value="other"' in again.text
    assert (kept["q"], kept["columns"]) == ("other", ["service"])


async def test_the_box_is_offered_what_is_stored(client: httpx.AsyncClient) -> None:
    values = {"order_id": 1, "http": {"status": 503}}
    await send(client, {"service": "payment", "message": "a", "attributes": values})

    issues = await offered(client, "issue:raw")
    attributes = await offered(client, "attr.or")
    nested = await offered(client, "attr.ht")
    levels = await offered(client, "a -level:err")

    assert "raw-sql-text" in issues
    assert attributes == ["attr.order_id:"]
    assert nested == ["attr.http.status:"]
    assert levels == ["error"]


async def offered(client: httpx.AsyncClient, q: str) -> list[str]:
    answer = await client.get("/logs/completion", params={"q": q, "caret": len(q)})
    return [one["insert"] for one in answer.json()["suggestions"]]


def failing(number: int) -> dict[str, object]:
    """An error with a signature of its own."""
    word = "".join(chr(97 + int(digit)) for digit in f"{number:03}") * 3
    return {
        "service": "payment", "level": "error", "message": f"{word} failed",
        "correlation_id": "order-7",
        "exception": {"type": f"Error{word.title()}", "message": "no"},
    }  # fmt: skip


def row_count(html: str) -> int:
    return html.count('<li class="log ')


async def statements_of(client: httpx.AsyncClient, address: str) -> list[str]:
    """What the searches' own connections were asked."""
    seen: list[tuple[Any, str]] = []

    def remember(*given: Any) -> None:
        seen.append((given[0].engine, given[2]))

    event.listen(Engine, "before_cursor_execute", remember)
    try:
        assert (await client.get(address)).status_code == 200
    finally:
        event.remove(Engine, "before_cursor_execute", remember)
    readers = {engine for engine, statement in seen if "set_config" in statement}
    found = [statement for engine, statement in seen if engine in readers]
    # How many values stand in a list is no statement of its own.
    return [re.sub(r"IN \([^)]*\)", "IN (…)", statement) for statement in found]


async def test_the_page_ends_now_unless_a_record_comes_from_a_clock_that_is_ahead(
    client: httpx.AsyncClient,
) -> None:
    now = datetime.now(UTC)
    await send(client, {"service": "payment", "message": "usual"})
    ends = [await end_of(client) for _ in range(2)]
    ahead = now + timedelta(minutes=4)
    await send(client, {"service": "payment", "message": "early", "timestamp": ahead.isoformat()})
    later = await end_of(client)
    html = (await client.get("/logs?from=-15m")).text

    assert all(abs(end - now) < timedelta(minutes=1) for end in ends)
    assert later >= ahead
    assert "early" in html


async def end_of(client: httpx.AsyncClient) -> datetime:
    """Of the time that the histogram shows."""
    html = (await client.get("/logs/histogram?from=-15m")).text
    return datetime.fromisoformat(
        re.findall(r'<time datetime="([^"]+)"', html[: html.index("</figcaption>")])[-1]
    )


async def test_htmx_gets_the_rows_alone(client: httpx.AsyncClient) -> None:
    await send(client, {"service": "payment", "message": "one"})

    part = (
        await client.get("/logs", headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    ).text

    assert part.strip().startswith('<li class="log ')
    assert "<html" not in part
