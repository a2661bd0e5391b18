import re
from datetime import timedelta

import asyncpg
import httpx
import pytest

from app.database import Database
from app.incidents.tables import IncidentStatus
from app.pages.incidents import LINES
from tests.incidents.seeded import START, add_counted, add_incident

pytestmark = pytest.mark.anyio
PAYLOADS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>',
    "'-alert(1)-'", "{{ 7 * 7 }}", "{% raw %}", "${7*7}", "javascript:alert(1)", "</title><b>",
    "<!--", "&lt;b&gt;", "\u202eevil", "\u0000"[:0] + "\ufeff", "' OR 1=1 --", "a&b=c", "%00%0d%0a",
)  # fmt: skip


async def listed(client: httpx.AsyncClient, **filters: str) -> list[str]:
    page = await client.get("/incidents", params=filters)
    assert page.status_code == 200, page.text
    return re.findall(r'<a class="plain title" href="/incidents/([^"]+)"', page.text)


async def test_filters_hold_what_they_say(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    payment = str(await add_incident(connection, "v1:a", services=["payment"]))
    muted = str(await add_incident(connection, "v1:b", services=["chat"], status="muted"))

    assert set(await listed(client)) == {payment, muted}
    assert await listed(client, status="muted") == [muted]
    assert await listed(client, service="payment") == [payment]
    assert await listed(client, service="payment", status="muted") == []
    assert await listed(client, known="yes") == []
    assert set(await listed(client, known="no")) == {payment, muted}


@pytest.mark.parametrize("filters", [{"status": "sad"}, {"known": "maybe"}, {"service": "  "}])
async def test_a_filter_that_means_nothing_filters_nothing(
    client: httpx.AsyncClient, connection: asyncpg.Connection, filters: dict[str, str]
) -> None:
    one = str(await add_incident(connection, "v1:a"))

    assert await listed(client, **filters) == [one]


async def test_pages_follow_each_other_without_loss_and_keep_their_filters(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    made = [
        str(
            await add_incident(
                connection, f"v1:{n}", services=["a&b"], last_seen=START - timedelta(minutes=n // 2)
            )
        )
        for n in range(2 * LINES + 3)
    ]
    found: list[str] = []
    address = "/incidents?service=a%26b&status=open"
    while address:
        page = (await client.get(address)).text
        found += re.findall(r'<a class="plain title" href="/incidents/([^"]+)"', page)
        forward = re.search(r'<a href="([^"]+)" rel="next"', page)
        address = forward[1].replace("&amp;", "&") if forward else ""
        assert not address or "service=a%26b" in address

    assert sorted(found) == sorted(made)


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_what_services_say_is_shown_as_text_and_never_runs(
    client: httpx.AsyncClient,
    connection: asyncpg.Connection,
    database: Database,
    payload: str,
) -> None:
    await add_counted(connection, database, "v1:a", services=[payload])
    await connection.execute("UPDATE signatures SET title = $1", payload)

    for path in ("/incidents", "/"):
        page = await client.get(path, params={"service": payload} if path != "/" else {})

        assert page.status_code == 200
        for raw in ("<script>alert", "<img src=x", "<svg onload", "</title><b>", "<!--"):
            assert raw not in page.text
        assert path == "/" or "{{" not in payload or payload in page.text


async def test_every_status_has_its_tab_with_its_count(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    for status in IncidentStatus:
        await add_incident(connection, f"v1:{status}", status=status.value)

    page = (await client.get("/incidents")).text

    tabs = dict(
        re.findall(r'<a href="/incidents\?status=(\w+)">\w+ <span[^>]*><span[^>]*>(\d+)', page)
    )
    assert tabs == {status.value: "1" for status in IncidentStatus}
