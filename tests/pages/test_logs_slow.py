"""Searches that take too long, as the page of log records shows them."""

import re
from datetime import timedelta
from html import unescape

import asyncpg
import msgspec
import pytest

from app.main import create_app
from app.settings import Settings
from tests.conftest import running
from tests.query.shelves import HOT, NOW, make_shelves, put, row

pytestmark = pytest.mark.anyio


@pytest.fixture
async def slow(connection: asyncpg.Connection, settings: Settings) -> Settings:
    """Every row that a search reads by its words takes a fiftieth of a second."""
    await make_shelves(connection)
    await connection.execute("""
        CREATE OR REPLACE FUNCTION search_words(text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE
        AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN to_tsvector('simple', $1); END $$
    """)
    await put(connection, *(row(n, HOT + timedelta(seconds=2 * n)) for n in range(1_000)))
    return msgspec.structs.replace(settings, search_seconds=2, search_connections=1)


async def test_a_search_that_runs_out_of_time_says_how_far_it_looked_and_goes_on(
    slow: Settings,
) -> None:
    until = (HOT + timedelta(seconds=2_000)).isoformat()

    async with running(create_app(slow)) as client:
        params = {"q": "message", "from": "2026-11-20", "to": until}
        first = await client.get("/logs", params=params)
        counted = await client.get("/logs/histogram", params=params)
        onward = re.search(r'href="([^"]+)" rel="next">Go on from there', first.text)
        assert onward
        second = await client.get(unescape(onward[1]))

    looked = [
        found[1]
        for page in (first, second)
        if (found := re.search(r'Looked back to <time datetime="([^"]+)"', page.text))
    ]
    assert (first.status_code, second.status_code) == (200, 200)
    assert len(looked) == 2
    assert looked[1] < looked[0] < until
    assert 0 < first.text.count('<li class="log ') < 100
    assert "counted back to" in counted.text


async def test_a_search_that_comes_nowhere_keeps_its_text_and_offers_others(
    slow: Settings, connection: asyncpg.Connection
) -> None:
    await put(connection, *(row(2_000 + n, NOW - timedelta(seconds=0.5)) for n in range(500)))

    async with running(create_app(slow)) as client:
        params = {"q": "message service:payment", "from": "2026-11-20", "to": NOW.isoformat()}
        page = await client.get("/logs", params=params)
        facets = await client.get("/logs/facets", params=params)

    assert (page.status_code, facets.status_code) == (503, 503)
    assert page.headers["retry-after"]
    assert 'value="message service:payment"' in page.text
    assert "narrow it" in page.text
    assert "Not counted" in facets.text
