"""The pages of log records, drawn: what they show, what they refuse, what they never trust."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

pytestmark = pytest.mark.anyio
NOW = datetime.now(UTC)


async def send(client: httpx.AsyncClient, *records: dict[str, object]) -> None:
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
        {"service": "payment", "message": "first"},
        {"service": "gateway", "message": "second", "level": "error", "attributes": {"ms": 41}},
    )

    usual = (await client.get("/logs")).text
    chosen = (await client.get("/logs", params={"columns": ["attr.ms", "nonsense"]})).text

    assert usual.index("second") < usual.index("first")
    assert "payment" in usual
    assert 'title="41"' in chosen
    assert "nonsense" not in chosen
