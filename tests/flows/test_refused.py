"""Bad input as a person sends it over HTTP: an answer that says what to change."""

import asyncio
import base64
import json
from typing import Any, Final

import httpx
import pytest

pytestmark = pytest.mark.anyio
Params = dict[str, Any]
SEARCHES: Final = ("/api/logs", "/api/logs/histogram", "/api/logs/facets")
SQL: Final = (
    "'; DROP TABLE log_records; --",
    '" OR 1=1 --',
    "1) UNION SELECT secret FROM alert_targets --",
    "$1 %s {} \\x00 ; SELECT pg_sleep(10)",
)
# What is asked -> which column, and what it is told.
BAD_SEARCHES: Final[dict[str, tuple[int, str]]] = {
    'service:payment "card declined': (17, 'this quote is never closed; add the second "'),
    "message:/declined": (9, "a pattern ends in /"),
    "servce:payment": (1, 'there is no field "servce"; the nearest is "service"'),
    "level:>=wrning": (1, 'there is no level "wrning"; it is trace, debug, info'),
    "a OR " * 5_000: (16_001, "a search has at most 16,000 characters; shorten it"),
    ("a OR " * 3_000).strip(): (15_000, "something to search for must follow"),
    " OR ".join(["a"] * 3_000): (1_001, "terms"),
    "message:/(unclosed/": (1, "RE2 does not compile this pattern: missing )"),
    "(a OR b": (8, "a parenthesis is still open; add )"),
    "has:nothing": (1, 'the nearest is "annotations"'),
    "attr.:x": (1, "name"),
}


async def refusal(client: httpx.AsyncClient, url: str, **params: Any) -> dict[str, Any]:
    """The problem of a 400."""
    answer = await client.get(url, params=params)
    assert answer.status_code == 400, (url, params, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    return dict(answer.json())


@pytest.mark.parametrize("q", BAD_SEARCHES)
async def test_a_search_that_cannot_be_read_is_told_where_and_what_to_change(
    client: httpx.AsyncClient, q: str
) -> None:
    column, words = BAD_SEARCHES[q]

    told = [await refusal(client, url, q=q) for url in SEARCHES]

    for one in told:
        (error,) = one["errors"]
        assert (error["key"], error["column"]) == ("q", column), one
        assert words in error["message"]
        assert f"column {column}: {error['message']}" == one["detail"]


@pytest.mark.parametrize("q", [one for one in BAD_SEARCHES if len(one) <= 16_000])
async def test_it_is_told_so_wherever_a_search_is_given(client: httpx.AsyncClient, q: str) -> None:
    answers = [
        await client.get("/api/logs/live", params={"q": q}),
        await client.post("/api/logs/export", json={"q": q}),
        await client.post("/api/forget", json={"q": q, "done_by": "ana", "confirm": True}),
        await client.put("/api/saved-searches/bad", json={"q": q}),
    ]

    for answer in answers:
        assert answer.status_code == 400, answer.text
        assert f"column {BAD_SEARCHES[q][0]}: " in answer.json()["detail"]


@pytest.mark.parametrize(
    ("url", "params", "words"),
    [
        ("/api/logs", {"from": "now", "to": "-1d"}, "`from` must be before `to`; exchange them"),
        ("/api/chains", {"from": "2026-11-21T00:00:00Z", "to": "2026-11-20T00:00:00Z"},
         "`from` must be before `to`"),
        ("/api/logs", {"from": "yesterday"}, '`from`: "yesterday" is no time: write RFC 3339'),
        ("/api/logs/facets", {"to": "tomorrow"}, "as -15m, now-1d, now-1d/d"),
        ("/api/logs/histogram", {"from": "-1d", "to": "x"}, '`to`: "x" is no time'),
        ("/api/chains", {"from": "yesterday"}, "`from`: write a time as 2026-11-20T12:00:00Z"),
        ("/api/logs", {"limit": 10**9}, "`limit`: Expected `int` <= 1000"),
        ("/api/incidents", {"limit": 10**9}, "`limit`: Expected `int` <= 500"),
        ("/api/logs/histogram", {"buckets": 10**9}, "`buckets`: Expected `int` <= 500"),
        ("/api/logs/facets", {"top": 10**9}, "`top`: Expected `int` <= 100"),
        ("/api/overview", {"hours": 10**9}, "`hours`: Expected `int` <= 168"),
        ("/api/logs", {"limit": "9" * 5_000}, "`limit`: "),
        ("/api/incidents", {"status": "opn"},
         "`status`: Invalid enum value 'opn'; it is one of `open`, `acknowledged`"),
        ("/api/alert-deliveries", {"state": "ded"}, "`state`: Invalid enum value 'ded'"),
        ("/api/signatures", {"known": "maybe"}, "`known`: Expected `bool"),
        ("/api/chains", {"service": "a\0b"}, "`service`: the character NUL cannot be kept"),
        ("/api/logs", {"lmit": 5}, "`lmit`: there is no such parameter; the nearest is `limit`"),
        ("/api/logs", {"since": "-1d"}, "`since`: there is no such parameter"),
        ("/api/chains", {"until": "now"}, "`until`: there is no such parameter"),
        ("/api/logs", {"limit": [1, 5]}, "`limit`: it takes one value and is given 2 times"),
        ("/api/logs/facets", {"attribute": ["a", "b"], "top": [1, 2, 3]}, "is given 3 times"),
        ("/api/known-issues", {"q": "x"}, "`q`: there is no such parameter, and no other here"),
        ("/api/logs/context", {}, "'; add it"),
    ],
)  # fmt: skip
async def test_a_parameter_is_named_as_it_was_sent_with_what_to_change(
    client: httpx.AsyncClient, url: str, params: Params, words: str
) -> None:
    told = await refusal(client, url, **params)

    assert words in told["detail"]
    assert all(error["key"] in params for error in told.get("errors", ()))


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("match", {"txt": "boom"}, "`txt`: there is no such field; the nearest is `text`"),
        ("match", {}, "give the error in `text`, in `exception`, or in both"),
        ("logs/export", {"format": "xml"}, "`format`: Invalid enum value 'xml'; it is one of"),
        ("logs/export", {"limit": 10**12}, "`limit`: Expected `int` <= 1000000000"),
        ("logs/export", {"from": "yesterday"}, '`from`: "yesterday" is no time'),
        ("logs/export", {"to": "2026-11-20T12:00"}, '`to`: "2026-11-20T12:00" is no time'),
        ("forget", {"q": "a"}, "Object missing required field `done_by`"),
        ("catalogue/documents", {"documents": [{"name": "a.md", "txt": ""}]},
         "`documents[0].txt`: there is no such field; the nearest is `text`"),
        ("incidents/7d3c1a52-8a0f-4c0e-9c1b-2f6f0f0d9a11/mute", {"done_by": " "},
         "`done_by`: write more than blanks"),
    ],
)  # fmt: skip
async def test_a_field_of_a_body_is_named_with_what_to_change(
    client: httpx.AsyncClient, path: str, body: Params, words: str
) -> None:
    answer = await client.post(f"/api/{path}", json=body)

    assert answer.status_code == 400, answer.text
    assert words in answer.json()["detail"]


EXPECTED: Final = 'send `Content-Type: application/json` and a body such as {"'


@pytest.mark.parametrize("path", ["logs/export", "match", "forget"])
async def test_a_body_that_is_missing_or_no_json_is_told_which_is_expected(
    client: httpx.AsyncClient, path: str
) -> None:
    answers = {
        "the body is missing; ": await client.post(f"/api/{path}"),
        "it is sent as application/x-www-form-urlencoded; ": await client.post(
            f"/api/{path}", data={"q": "service:payment"}
        ),
        "it is sent as multipart/form-data; ": await client.post(
            f"/api/{path}", files={"q": b"service:payment"}
        ),
        "Input data was truncated; ": await client.post(
            f"/api/{path}", content=b'{"q"', headers={"Content-Type": "application/json"}
        ),
    }

    for words, answer in answers.items():
        assert answer.status_code == 400, words
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()
        assert words + EXPECTED in told["detail"], told
        assert told["errors"] == [{"source": "body", "message": told["detail"]}]


async def test_the_body_that_is_shown_as_expected_is_taken(client: httpx.AsyncClient) -> None:
    told = (await client.post("/api/logs/export")).json()["detail"]

    body = json.loads(told[told.index("{") :])

    assert (await client.post("/api/logs/export", json=body)).status_code == 200


@pytest.mark.parametrize(
    ("column", "nearest"), [("colour", "correlation"), ("servce", "service"), ("lvel", "level")]
)
async def test_a_column_that_is_none_is_refused_with_the_nearest(
    client: httpx.AsyncClient, column: str, nearest: str
) -> None:
    body = {"q": "level:error", "columns": ["level", column]}

    answer = await client.put("/api/saved-searches/late", json=body)

    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["key"] == "columns"
    assert f"there is no column `{column}`; the nearest is `{nearest}`" in error["message"]


async def test_a_saved_search_names_the_time_that_cannot_be_read(
    client: httpx.AsyncClient,
) -> None:
    for name in ("from", "to"):
        answer = await client.put("/api/saved-searches/late", json={"q": "a", name: "noon"})

        assert answer.status_code == 400
        assert answer.json()["detail"].startswith(f'`{name}`: "noon" is no time')


async def test_a_place_in_the_live_tail_is_named_by_what_it_came_in(
    client: httpx.AsyncClient,
) -> None:
    by_header = await client.get("/api/logs/live", headers={"Last-Event-ID": "zzz"})
    by_parameter = await client.get("/api/logs/live", params={"after": "zzz"})

    assert (by_header.status_code, by_parameter.status_code) == (400, 400)
    assert "header `Last-Event-ID`" in by_header.json()["detail"]
    assert "`after`" not in by_header.json()["detail"]
    assert "`after`" in by_parameter.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/api/incidents/a%2Fb", 404, "`/api/incidents/a%2Fb`: `%2F` counts as the slash"),
        ("GET", "/api/saved-searches/a%2fb", 404, "write the name without it"),
        ("GET", "/api/incidents/7", 404, "`/api/incidents/7`; GET /schema lists the addresses"),
        ("GET", "/api/log", 404, "Nothing is found at `/api/log`"),
        ("GET", "/api/" + "a" * 5_000, 404, "a`; GET /schema"),
        ("DELETE", "/api/logs", 405, "`DELETE` is not answered at `/api/logs`; GET /schema"),
        ("GET", "/api/match", 405, "`GET` is not answered at `/api/match`"),
    ],
)
async def test_an_address_that_nothing_answers_is_named_as_it_was_sent(
    client: httpx.AsyncClient, method: str, path: str, status: int, words: str
) -> None:
    answer = await client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]
    assert len(answer.json()["detail"]) < 400


def tampered(cursor: str) -> list[str]:
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    turned = bytes([raw[0] ^ 1]) + raw[1:]
    return [
        cursor[:-5], cursor[5:], cursor + "AAAA", "x", "=", "é", "AAAA",
        base64.urlsafe_b64encode(turned).decode(), *SQL,
    ]  # fmt: skip


async def test_a_cursor_that_was_tampered_with_is_refused(client: httpx.AsyncClient) -> None:
    records = [{"service": "payment", "message": f"number {n}"} for n in range(3)]
    await client.post("/ingest/logs", json=records)
    page = (await client.get("/api/logs", params={"limit": 1})).json()

    for cursor in tampered(page["next"]):
        told = await refusal(client, "/api/logs", after=cursor)
        assert "`after`" in told["detail"], cursor
    other = await refusal(client, "/api/logs", after=page["next"], q="service:payment")
    assert "`after`" in other["detail"]
    for url in ("/api/incidents", "/api/chains", "/api/signatures", "/api/services", "/api/gaps"):
        assert "`after`" in (await refusal(client, url, after="no cursor"))["detail"]


async def found_by(client: httpx.AsyncClient, q: str) -> list[dict[str, str]]:
    """What is found, once it is: 202 may mean the spool, from which it is read a moment later."""
    found: list[dict[str, str]] = []
    for _ in range(100):
        found = (await client.get("/api/logs", params={"q": q})).json()["records"]
        if found:
            break
        await asyncio.sleep(0.1)
    return found


@pytest.mark.parametrize("sql", SQL)
async def test_sql_in_every_field_is_a_text_like_any_other(
    client: httpx.AsyncClient, sql: str
) -> None:
    record = {"service": sql, "message": sql, "environment": sql, "attributes": {"a": sql}}
    assert (await client.post("/ingest/logs", json=record)).json()["accepted"] == 1
    quoted = '"' + sql.replace("\\", "\\\\").replace('"', '\\"') + '"'

    for q in (f"service:{quoted}", f"environment:{quoted}", f"attr.a:{quoted}"):
        assert [one["message"] for one in await found_by(client, q)] == [sql]
    for url, params in (
        ("/api/incidents", {"service": sql, "environment": sql}),
        ("/api/chains", {"service": sql, "root_service": sql, "environment": sql}),
        ("/api/signatures", {"service": sql}),
        ("/api/services", {"environment": sql}),
        ("/api/gaps", {"service": sql}),
        ("/api/alert-deliveries", {"target": sql}),
        ("/api/logs/facets", {"attribute": [sql, "another"]}),
    ):
        assert (await client.get(url, params=params)).status_code == 200, url
    for url in ("/api/logs", "/api/logs/facets", "/api/logs/histogram"):
        assert (await client.get(url, params={"q": sql})).status_code in {200, 400}
        for name in ("from", "to"):
            assert "RFC 3339" in (await refusal(client, url, **{name: sql}))["detail"]
    assert (await client.get("/api/logs")).json()["records"]
