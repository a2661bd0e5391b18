"""Any error, asked about."""

import asyncio
import re

import httpx
import pytest

from app.pages.ask import MOST_OF_ADDRESS
from tests.pages.documents import (
    entry,
    hostile_document,
    import_shown,
    in_force,
    preview,
    shown_text,
)
from tests.pages.payloads import PAYLOADS, dangers, words

pytestmark = pytest.mark.anyio
TRACEBACK = """Traceback (most recent call last):
  File "/srv/inventory/app/health.py", line 12, in check
    await session.execute("SELECT 1")
  File "/usr/lib/python3.11/site-packages/sqlalchemy/ext/asyncio/session.py", line 461, in execute
    result = await greenlet_spawn(
sqlalchemy.exc.ArgumentError: Textual SQL expression 'SELECT 1' should be explicitly declared \
as text('SELECT 1')
"""


async def test_a_traceback_finds_its_entry_with_the_words_it_rests_on(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/ask", params={"text": TRACEBACK})

    told = words(page.text)
    assert '<a href="/catalogue/raw-sql-text">' in page.text
    assert "exact 0.98" in told
    assert "<mark>Textual SQL expression" in page.text
    assert "message_re2, line " in told
    assert "Wrap the statement, and give values as parameters:" in told


async def test_how_it_was_read_is_shown(client: httpx.AsyncClient) -> None:
    told = shown_text((await client.get("/ask", params={"text": TRACEBACK})).text)

    for part in ("python", "check (health.py)", "library frame", "Decided by frames", "v1:"):
        assert part in told
    assert "Never seen here with this signature" in told


async def test_a_short_question_sent_as_a_form_gets_an_address(client: httpx.AsyncClient) -> None:
    sent = await client.post(
        "/ask", data={"text": TRACEBACK.replace("\n", "\r\n"), "service": "inventory"}
    )
    page = await client.get(sent.headers["location"])

    assert sent.status_code == 303
    assert "/catalogue/raw-sql-text" in page.text
    assert 'value="inventory"' in page.text


async def test_a_long_question_gets_its_answer_at_once(client: httpx.AsyncClient) -> None:
    long = "2026-11-21 INFO nothing happened\n" * (MOST_OF_ADDRESS // 10) + TRACEBACK

    page = await client.post("/ask", data={"text": long})
    too_long = await client.get("/ask", params={"text": long})

    assert page.status_code == 200
    assert "/catalogue/raw-sql-text" in page.text
    assert "lines</span>" in page.text
    assert too_long.status_code == 400


async def test_a_correlation_id_alone_leads_to_its_chain(client: httpx.AsyncClient) -> None:
    for chain in ("order-1001", "a/b:c=d"):
        record = {"service": "payment", "message": "paid", "correlation_id": chain}
        await client.post("/ingest/logs", json=record)

    pages = [
        (await client.get("/ask", params={"text": asked})).text
        for asked in (" order-1001\n", "a/b:c=d", "order-1002", "order-1001 failed")
    ]

    assert 'href="/chains/order-1001"' in pages[0]
    led = [re.findall(r'href="(/chains/[^"]+)"', page) for page in pages[:2]]
    assert [(await client.get(one)).status_code for (one,) in led] == [200, 200]
    assert [("See the chain" in page) for page in pages] == [True, True, False, False]


async def test_while_a_whole_log_is_read_others_are_answered(client: httpx.AsyncClient) -> None:
    log = "2026-11-21 INFO order 1 paid in 3 ms\n" * 25_000
    asking = asyncio.create_task(client.post("/ask", data={"text": log}))
    answered = 0

    while not asking.done():
        await asyncio.sleep(0.005)
        answered += 1

    assert asking.result().status_code == 200
    assert answered > 10


async def test_an_error_that_nothing_explains_is_said_plainly(client: httpx.AsyncClient) -> None:
    page = await client.get("/ask", params={"text": "flux capacitor of unit QX-9 is cold"})

    told = words(page.text)
    assert "No known issue explains this error" in told
    assert "and none has a rule or a quoted error that holds" in told
    assert "exact" not in told


async def test_words_in_common_are_suggestions_and_no_answer(client: httpx.AsyncClient) -> None:
    page = await client.get("/ask", params={"text": "webhook signature differs in a webhook"})

    told = words(page.text)
    assert "No known issue explains this error" in told
    assert "Words in common, which proves nothing" in told
    assert "suggested" in told


async def test_the_runner_up_is_named_with_why_it_lost(client: httpx.AsyncClient) -> None:
    text = entry("kettle", said="kettle exploded") + entry("pot", said="exploded")
    await import_shown(client, await preview(client, kitchen_md=text))
    await in_force(client, "kettle exploded")

    told = words((await client.get("/ask", params={"text": "the kettle exploded"})).text)

    assert "Held too, and lost pot" in told
    assert "less specific: it accounts for 8 characters of the error, kettle for 15" in told


async def test_an_error_that_was_seen_here_leads_to_its_incident(
    client: httpx.AsyncClient,
) -> None:
    record = {"service": "kitchen", "level": "error", "message": "flux capacitor is cold"}
    await client.post("/ingest/logs", json={**record, "correlation_id": "c"})
    for _ in range(400):
        page = await client.get("/ask", params={"text": "flux capacitor is cold"})
        if "its incident" in page.text:
            break

    (incident,) = (await client.get("/api/incidents")).json()["incidents"]
    assert f'href="/incidents/{incident["incident_id"]}"' in page.text
    assert "Write it down" in page.text


async def test_no_question_gets_an_element_into_the_page(client: httpx.AsyncClient) -> None:
    await import_shown(client, await preview(client, hostile_md=hostile_document()))
    await in_force(client, "marker-0-")

    for number, payload in enumerate(PAYLOADS):
        # The rule excludes the payload itself: the mark is set, and beside it stands what it says.
        question = {"text": f"marker-{number}-\n{payload[:-1]}", "service": payload[:200]}
        page = await client.get("/ask", params=question)
        assert page.status_code == 200, payload
        assert dangers(page.text) == [], payload
        assert f"hostile-{number}" in page.text


@pytest.mark.parametrize("text", ["", "   ", "\0", "\0\0x", "\N{SNOWMAN}" * 500, "a\r\nb\r\n", "<"])
async def test_whatever_is_asked_has_a_page(client: httpx.AsyncClient, text: str) -> None:
    by_address = await client.get("/ask", params={"text": text})
    by_form = await client.post("/ask", data={"text": text})

    assert by_address.status_code == 200
    assert by_form.status_code in {200, 303}
