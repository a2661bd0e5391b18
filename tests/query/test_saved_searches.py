from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

pytestmark = pytest.mark.anyio
PATH = "/api/saved-searches/late-payments"
SEARCH = {"q": "service:payment timed out", "from": "-1d", "columns": ["service", "attr.order_id"]}


async def test_a_saved_search_is_found_again_with_a_link_that_opens_it(
    client: httpx.AsyncClient,
) -> None:
    record = {"service": "payment", "message": "it timed out", "level": "error"}
    await client.post("/ingest/logs", json=record)
    saved = (await client.put(PATH, json=SEARCH)).json()

    found = (await client.get(PATH)).json()
    opened = await client.get(found["link"])
    address = urlsplit(found["link"])

    assert found == saved
    assert {name: found[name] for name in SEARCH} == SEARCH
    assert (address.path, parse_qs(address.query)) == (
        "/logs",
        {"q": [SEARCH["q"]], "from": ["-1d"], "columns": ["service", "attr.order_id"]},
    )
    assert "it timed out" in opened.text
    assert opened.headers["content-type"].startswith("text/html")
    assert [one["name"] for one in (await client.get("/api/saved-searches")).json()] == [
        "late-payments"
    ]


async def test_who_read_an_older_version_changes_nothing(client: httpx.AsyncClient) -> None:
    first = await client.put(PATH, json=SEARCH)
    tag = {"If-Match": first.headers["ETag"]}
    second = await client.put(PATH, json={**SEARCH, "q": "late"}, headers=tag)

    for answer in (
        await client.put(PATH, json=SEARCH, headers=tag),
        await client.delete(PATH, headers=tag),
    ):
        assert answer.status_code == 412
    assert (await client.get(PATH)).json()["q"] == "late"
    assert (await client.delete(PATH, headers={"If-Match": second.headers["ETag"]})).is_success
    assert (await client.get(PATH)).status_code == 404
    assert (await client.delete(PATH)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"q": "a OR"}, {"q": "servce:payment"}, {"q": "a", "from": "yesterday"},
        {"q": "a", "columns": [""]}, {"q": "a", "colums": []}, {},
    ],
)  # fmt: skip
async def test_a_search_that_would_not_run_is_not_saved(
    client: httpx.AsyncClient, body: dict[str, object]
) -> None:
    answer = await client.put(PATH, json=body)

    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert (await client.get(PATH)).status_code == 404


@pytest.mark.parametrize("name", [".hidden", "a b", "%00", "x" * 101])
async def test_a_name_that_is_none_is_refused(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.put(f"/api/saved-searches/{name}", json=SEARCH)).status_code == 400
    assert (await client.get(f"/api/saved-searches/{name}")).status_code == 404
