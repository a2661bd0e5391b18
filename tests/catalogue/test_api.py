import asyncio
from typing import Any

import httpx
import pytest

from tests.catalogue.test_documents import ENTRY

pytestmark = pytest.mark.anyio
MAGIC = (
    ENTRY.replace("too-many-cooks", "kettle")
    .replace("message: broth spoiled", "message: kettle exploded")
    .replace("Error: broth spoiled", "Error: kettle exploded")
)


def upload(text: str = MAGIC, name: str = "kitchen.md") -> dict[str, Any]:
    return {"documents": [{"name": name, "text": text}]}


async def failing_chain(client: httpx.AsyncClient, message: str = "kettle exploded") -> Any:
    record = {"service": "kitchen", "level": "error", "message": message, "correlation_id": "c"}
    assert (await client.post("/ingest/logs", json=record)).status_code == 202
    return await until(client, lambda chain: chain["incident_id"])


async def until(client: httpx.AsyncClient, holds: Any) -> Any:
    async with asyncio.timeout(20):
        while True:
            chain = (await client.get("/api/chains/c")).json()
            if holds(chain):
                return chain
            await asyncio.sleep(0.05)


async def is_known(client: httpx.AsyncClient, text: str) -> bool:
    return bool((await client.post("/api/match", json={"text": text})).json()["known"])


async def test_an_uploaded_document_explains_errors_stored_before(
    client: httpx.AsyncClient,
) -> None:
    assert (await failing_chain(client))["match"] is None

    answer = await client.post("/api/catalogue/documents", json=upload())

    assert answer.status_code == 201
    assert answer.json()["changes"]["new"] == ["kettle"]
    chain = await until(client, lambda chain: chain["match"])
    assert chain["match"]["known_issue_id"] == "kettle"
    assert chain["match"]["source"]["document"] == "kitchen.md"
    async with asyncio.timeout(20):
        while True:
            incident = (await client.get(f"/api/incidents/{chain['incident_id']}")).json()
            if incident["known"]:
                break
            await asyncio.sleep(0.05)
    assert incident["known_issue_id"] == "kettle"


async def test_a_deleted_entry_is_retired_and_its_matches_keep_pointing_to_it(
    client: httpx.AsyncClient,
) -> None:
    await client.post("/api/catalogue/documents", json=upload())
    await failing_chain(client)
    await until(client, lambda chain: chain["match"] and chain["match"]["version"])

    answer = await client.post("/api/catalogue/documents", json=upload("# nothing left\n"))
    chain = await until(client, lambda chain: chain["match"]["newest_version"] is None)

    assert answer.json()["changes"]["retired"] == ["kettle"]
    assert chain["match"]["version"] == 1
    for _ in range(400):
        if not await is_known(client, "kettle exploded"):
            break
        await asyncio.sleep(0.05)
    assert not await is_known(client, "kettle exploded")
    assert (await client.get("/api/chains/c")).json()["match"]["known_issue_id"] == "kettle"


async def test_a_changed_paragraph_leaves_what_was_shown_and_names_the_newer_version(
    client: httpx.AsyncClient,
) -> None:
    await client.post("/api/catalogue/documents", json=upload())
    await failing_chain(client)
    await until(client, lambda chain: chain["match"] and chain["match"]["version"])

    changed = upload(MAGIC.replace("Send some home", "Buy a new kettle"))
    await client.post("/api/catalogue/documents", json=changed)
    await asyncio.sleep(1.5)
    match = (await client.get("/api/chains/c")).json()["match"]

    assert (match["version"], match["newest_version"]) == (1, 2)
    assert match["fix"].startswith("Send some home")


async def test_a_preview_says_what_would_change_and_saves_nothing(
    client: httpx.AsyncClient,
) -> None:
    await failing_chain(client)

    preview = (await client.post("/api/catalogue/preview", json=upload())).json()

    assert preview["entries"] == ["kettle"]
    assert preview["effects"] == [
        {"known_issue_id": "kettle", "gains": 1, "loses": 0, "takes_over": {}}
    ]
    assert (await client.get("/api/known-issues/kettle")).status_code == 404


async def test_a_broken_entry_is_named_with_its_line_and_the_rest_imported(
    client: httpx.AsyncClient,
) -> None:
    broken = ENTRY.replace("too-many-cooks", "broken").replace("message:", "massage:")

    answer = (await client.post("/api/catalogue/documents", json=upload(broken + MAGIC))).json()

    assert answer["changes"]["new"] == ["kettle"]
    assert answer["problems"][0]["document"] == "kitchen.md"
    assert answer["problems"][0]["line"] == 27


async def test_an_id_of_the_default_catalogue_cannot_be_taken(client: httpx.AsyncClient) -> None:
    text = MAGIC.replace("#kettle", "#raw-sql-text")

    answer = (await client.post("/api/catalogue/documents", json=upload(text))).json()

    assert "is taken by" in answer["problems"][0]["reason"]
    assert answer["changes"]["new"] == []


async def test_a_rejected_match_never_comes_back(client: httpx.AsyncClient) -> None:
    await client.post("/api/catalogue/documents", json=upload())
    chain = await failing_chain(client)
    chain = await until(client, lambda chain: chain["match"])
    signature = chain["root"]["signature_id"]
    judgement = {"known_issue_id": "kettle", "verdict": "rejected", "note": "another kettle"}

    answer = await client.post(f"/api/signatures/{signature}/verdicts", json=judgement)
    await client.post(
        "/api/catalogue/documents", json=upload(MAGIC.replace("Send some", "Send all"))
    )
    await asyncio.sleep(1.5)

    assert answer.status_code == 204
    assert (await client.get("/api/chains/c")).json()["match"] is None
    entry = (await client.get("/api/known-issues/kettle")).json()
    assert (entry["confirmed"], entry["rejected"], entry["precision"]) == (0, 1, 0.0)


async def test_a_confirmed_match_counts_for_the_entry(client: httpx.AsyncClient) -> None:
    await client.post("/api/catalogue/documents", json=upload())
    await failing_chain(client)
    chain = await until(client, lambda chain: chain["match"])
    signature = chain["root"]["signature_id"]

    await client.post(
        f"/api/signatures/{signature}/verdicts",
        json={"known_issue_id": "kettle", "verdict": "confirmed", "decided_by": "on call"},
    )

    entry = (await client.get("/api/known-issues/kettle")).json()
    assert (entry["confirmed"], entry["precision"], entry["judged"]) == (1, 1.0, 1)
    assert (await client.get("/api/chains/c")).json()["match"]["known_issue_id"] == "kettle"


async def test_unexplained_errors_are_the_documentation_debt(client: httpx.AsyncClient) -> None:
    chain = await failing_chain(client, "teapot cracked")

    debt = (await client.get("/api/documentation-debt")).json()
    draft = await client.get(f"/api/signatures/{chain['root']['signature_id']}/draft")

    assert debt[0]["title"] == "teapot cracked"
    assert (debt[0]["services"], debt[0]["chains"]) == (["kitchen"], 1)
    assert draft.headers["content-type"].startswith("text/markdown")
    for part in ("## teapot cracked {#teapot-cracked}", "### Symptoms", "```yaml rule", "kitchen"):
        assert part in draft.text


async def test_a_draft_compiles_once_its_gaps_are_filled(client: httpx.AsyncClient) -> None:
    chain = await failing_chain(client, "teapot cracked")
    draft = (await client.get(f"/api/signatures/{chain['root']['signature_id']}/draft")).text

    answer = (await client.post("/api/catalogue/documents", json=upload(draft))).json()

    assert answer["problems"] == []
    assert answer["changes"]["new"] == ["teapot-cracked"]
    await until(client, lambda chain: chain["match"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/catalogue/documents", {"documents": []}),
        ("/api/catalogue/documents", {"documents": [{"name": "../x.md", "text": ""}]}),
        ("/api/signatures/v1:x/verdicts", {"known_issue_id": "a", "verdict": "maybe"}),
    ],
)
async def test_a_bad_upload_is_a_400(
    client: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    assert (await client.post(path, json=body)).status_code == 400


async def test_a_verdict_on_an_unknown_signature_is_a_404(client: httpx.AsyncClient) -> None:
    body = {"known_issue_id": "a", "verdict": "confirmed"}

    assert (await client.post("/api/signatures/v1:none/verdicts", json=body)).status_code == 404
    assert (await client.get("/api/signatures/v1:none/draft")).status_code == 404


async def test_two_documents_may_have_sections_of_one_name(client: httpx.AsyncClient) -> None:
    section = "## Timeouts\n### Problem\n`{0}Error: {0} broke down`\n### Fix\nmend {0}\n"
    first = await client.post("/api/catalogue/documents", json=upload(section.format("A"), "a.md"))
    second = await client.post("/api/catalogue/documents", json=upload(section.format("B"), "b.md"))

    assert first.json()["changes"]["new"] == ["timeouts"]
    assert second.json()["changes"]["new"] == ["timeouts-b"]
    entry = (await client.get("/api/known-issues/timeouts")).json()
    assert entry["fix"] == "mend A"


async def test_a_document_that_broke_retires_nothing(client: httpx.AsyncClient) -> None:
    await client.post("/api/catalogue/documents", json=upload())

    broken = upload(MAGIC.replace("message:", "massage:"))
    answer = (await client.post("/api/catalogue/documents", json=broken)).json()

    assert answer["problems"]
    assert answer["changes"]["retired"] == []
    assert (await client.get("/api/known-issues/kettle")).status_code == 200


async def test_only_a_match_can_be_judged(client: httpx.AsyncClient) -> None:
    chain = await failing_chain(client)
    path = f"/api/signatures/{chain['root']['signature_id']}/verdicts"

    other = await client.post(path, json={"known_issue_id": "raw-sql-text", "verdict": "confirmed"})
    nul = await client.post(path, json={"known_issue_id": "a\x00", "verdict": "confirmed"})

    assert (other.status_code, nul.status_code) == (409, 400)
