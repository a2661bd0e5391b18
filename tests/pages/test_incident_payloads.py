"""Whatever services, documents and people write is shown as text."""

import asyncio
from typing import Any

import httpx
import pytest

from app.pages.markdown import render
from tests.pages.payloads import PAYLOADS, dangers, words

pytestmark = pytest.mark.anyio


def record(number: int, payload: str) -> dict[str, Any]:
    return {
        "service": f"s {payload}"[:200],
        "correlation_id": f"payload-{number}",
        "level": "error",
        "message": f"marker-{number}- {payload}",
        "environment": f"e {payload}"[:200],
        "release": f"r {payload}"[:200],
        "instance": payload[:200],
        "exception": {"type": f"T{number} {payload}", "message": f"marker-{number}- {payload}"},
        "attributes": {payload: payload},
    }


def document(number: int, payload: str) -> dict[str, str]:
    line = " ".join(payload.split())
    text = f"""## Title {number} {line} {{#entry-{number}}}

### Symptoms
marker-{number}-

{payload}

### Causes
{payload}

### Fix
Begin

{payload}

### Caution
{payload}

### Rules
```yaml rule
text: marker-{number}-
```
"""
    return {"name": f"d {number}.md", "text": text}


async def settled(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """All incidents, once each was held against the imported entries."""
    for _ in range(600):
        found = (await client.get("/api/incidents?limit=500")).json()["incidents"]
        if len(found) >= len(PAYLOADS) and all(one["known"] for one in found):
            return list(found)
        await asyncio.sleep(0.05)
    return list(found)


async def test_scripts_in_any_field_are_text_on_the_page_of_an_incident(
    client: httpx.AsyncClient,
) -> None:
    documents = [document(n, payload) for n, payload in enumerate(PAYLOADS)]
    imported = await client.post("/api/catalogue/documents", json={"documents": documents})
    assert imported.json()["problems"] == []
    records = [record(n, payload) for n, payload in enumerate(PAYLOADS)]
    assert (await client.post("/ingest/logs", json=records)).json()["accepted"] == len(PAYLOADS)
    incidents = await settled(client)

    assert len(incidents) == len(PAYLOADS)
    for one in incidents:
        path = f"/incidents/{one['incident_id']}"
        number = int(one["known_issue_id"].removeprefix("entry-"))
        payload = PAYLOADS[number]
        noted = await client.post(f"{path}/notes", data={"done_by": payload, "note": payload})
        page = await client.get(path)
        draft = await client.get(f"{path}/draft")
        assert (noted.status_code, page.status_code, draft.status_code) == (303, 200, 200)
        assert dangers(page.text) + dangers(draft.text) == []
        assert " ".join(payload.split()) in words(page.text)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markdown_gives_no_tag_or_address_but_its_own(payload: str) -> None:
    html = render(f"Before\n\n{payload}\n\nafter `{payload}` and **{payload}**")

    assert dangers(html) == []


async def test_a_change_with_scripts_in_every_field_is_shown_as_text(
    client: httpx.AsyncClient,
) -> None:
    await client.post("/ingest/logs", json=[record(0, "plain")])
    path = ""
    for _ in range(200):
        if found := (await client.get("/api/incidents")).json()["incidents"]:
            path = f"/incidents/{found[0]['incident_id']}"
            break
        await asyncio.sleep(0.05)

    for payload in PAYLOADS:
        page = await client.get(path)
        version = (await client.get(f"/api{path}")).json()["version"]
        form = {"version": version, "done_by": payload, "note": payload, "in_release": payload}
        status = (await client.get(f"/api{path}")).json()["status"]
        change = "reopen" if status == "resolved" else "resolve"
        assert (await client.post(f"{path}/{change}", data=form)).status_code == 303
        stale = await client.post(f"{path}/acknowledge", data=form)
        page = await client.get(path)

        assert stale.status_code == 412
        assert dangers(page.text) + dangers(stale.text) == []
        assert " ".join(payload.split()) in words(page.text)
