"""Targets, messages and thresholds over HTTP."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import pytest

from app.main import create_app
from app.settings import Settings
from tests.alerts.outbox import SECRET, add_event, add_target
from tests.alerts.receiver import receiving, says
from tests.alerts.waiting import until
from tests.conftest import running

pytestmark = pytest.mark.anyio

TARGET: dict[str, Any] = {
    "kind": "generic", "url": "https://alerts.example.com/very-secret-path", "secret": SECRET
}  # fmt: skip
ANYHOW = {"If-Match": "*"}


@pytest.fixture
def inner(settings: Settings) -> Settings:
    return msgspec.structs.replace(
        settings, alert_private_targets=True, public_url="https://sentinel.test"
    )


async def test_a_target_is_made_read_changed_and_deleted(client: httpx.AsyncClient) -> None:
    made = await client.put("/api/alert-targets/team", json=TARGET)
    read = await client.get("/api/alert-targets/team")
    changed = await client.put(
        "/api/alert-targets/team",
        json={"kind": "generic", "per_minute": 3, "kinds": ["opened"]},
        headers={"If-Match": made.headers["etag"]},
    )
    listed = await client.get("/api/alert-targets")
    deleted = await client.delete("/api/alert-targets/team", headers=ANYHOW)
    gone = await client.get("/api/alert-targets/team")

    assert made.status_code == read.status_code == 200
    assert (made.headers["etag"], changed.headers["etag"]) == ('"1"', '"2"')
    assert made.json() == read.json()
    assert changed.json()["per_minute"] == 3
    assert listed.json() == [changed.json()]
    assert (deleted.status_code, gone.status_code) == (204, 404)
    assert gone.headers["content-type"].startswith("application/problem+json")


async def test_secret_and_url_stay_when_left_out_and_are_never_shown(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    answers = [
        await client.put("/api/alert-targets/team", json=TARGET),
        await client.put("/api/alert-targets/team", json={"kind": "slack"}, headers=ANYHOW),
        await client.put("/api/alert-targets/team", json={"kind": "generic"}, headers=ANYHOW),
        await client.get("/api/alert-targets"),
        await client.get("/api/alert-targets/team"),
        await client.get("/api/alert-deliveries"),
        await client.post("/api/alert-targets/team/test"),
        await client.put("/api/alert-targets/team", json={**TARGET, "secret": SECRET + "!"}),
        await client.put("/api/alert-targets/team", json={**TARGET, "per_minute": 0}),
        await client.put("/api/alert-targets/team", json={**TARGET, "no": "such field"}),
    ]

    row = await connection.fetchrow("SELECT url, secret FROM alert_targets")
    assert row is not None
    assert tuple(row) == (TARGET["url"], SECRET)
    assert [answer.status_code for answer in answers] == [200] * 7 + [400] * 3
    assert answers[0].json()["url"] == "https://alerts.example.com/…"
    assert answers[0].json()["has_secret"] is True
    for answer in answers:
        assert SECRET not in answer.text
        assert "very-secret-path" not in answer.text


async def test_a_change_is_refused_when_somebody_was_first(client: httpx.AsyncClient) -> None:
    url = "/api/alert-targets/team"

    async def put(*if_match: str) -> int:
        headers = [("If-Match", line) for line in if_match]
        return (await client.put(url, json=TARGET, headers=headers)).status_code

    too_early = [await put('"1"'), await put("*"), await put("1")]
    made = await put()
    answers = [await put(tag) for tag in ('"1"', '"1"', '"1", "2"', "*", 'W/"4"', "4", "")]
    lines = [await put('"3"', '"4"'), await put('"5"', '"4"'), await put('"1"', '"2"')]
    deleted = [
        (await client.delete(url, headers=headers)).status_code
        for headers in ({}, {"If-Match": '"1"'}, {"If-Match": '"6"'})
    ]

    assert (too_early, made, await put()) == ([412, 412, 400], 200, 200)
    assert answers == [200, 412, 200, 200, 412, 400, 400]
    assert lines == [200, 200, 412]
    assert deleted == [428, 412, 204]


@pytest.mark.parametrize("what", ["target", "threshold"])
async def test_of_many_who_make_the_same_at_once_one_does(
    client: httpx.AsyncClient, connection: asyncpg.Connection, what: str
) -> None:
    (entry, *_) = (await client.get("/api/known-issues")).json()
    url, body = {
        "target": ("/api/alert-targets/team", TARGET),
        "threshold": (f"/api/alert-thresholds/{entry['known_issue_id']}", {"chains_per_hour": 5}),
    }[what]
    # All of them have seen that there is none before the first may make it.
    async with connection.transaction():
        await connection.execute(f"LOCK TABLE alert_{what}s IN SHARE MODE")
        racing = [asyncio.create_task(client.put(url, json=body)) for _ in range(5)]
        await until(lambda: are_waiting(connection, f"alert_{what}s", 5), seconds=20)
    answers = [answer.status_code for answer in await asyncio.gather(*racing)]

    assert sorted(answers) == [200] + [412] * 4
    assert (await client.get(url)).headers["etag"] == '"1"'


async def are_waiting(connection: asyncpg.Connection, table: str, number: int) -> bool:
    """Whether so many statements wait for a lock on this table."""
    waiting = await connection.fetchval(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = to_regclass($1) "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        table,
    )
    return bool(waiting >= number)


async def test_nothing_is_overwritten_unseen(client: httpx.AsyncClient) -> None:
    await client.put("/api/alert-targets/team", json=TARGET)

    again = await client.put("/api/alert-targets/team", json=TARGET)

    assert again.status_code == 428
    assert "`If-Match`" in again.json()["detail"]


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("team", {"url": ""}, "a new target needs a `url`"),
        ("team", {"secret": ""}, "needs a `secret`"),
        ("team", {"secret": "whsec_dG9vc2hvcnQ="}, "24 to 64"),
        ("team", {"url": "http://127.0.0.1/"}, "private address"),
        ("team", {"url": "http://169.254.169.254/"}, "link-local address"),
        ("team", {"url": "ftp://example.com/"}, "http"),
        ("team", {"url": "https://me:pw@example.com/"}, "no user"),
        ("team", {"kinds": ["exploded"]}, "Invalid enum value"),
        ("team", {"services": ["a\0b"]}, "`services[0]`: the character NUL"),
        ("team", {"quiet": {"begins": "9", "ends": "10:00", "zone": "UTC"}}, "regex"),
        ("team", {"quiet": {"begins": "22:00", "ends": "07:00", "zone": "Mars/Base"}}, "IANA"),
        ("team", {"quiet": {"begins": "22:00", "ends": "07:00", "zone": "../../x"}}, "IANA"),
        ("team", {"quiet": {"begins": "22:00", "ends": "07:00", "zone": "Europe"}}, "IANA"),
        ("team", {"quiet": {"begins": "22:00", "ends": "22:00", "zone": "UTC"}}, "leave no time"),
        ("-team", {}, "a name is"),
        ("a b", {}, "a name is"),
    ],
)
async def test_a_target_that_cannot_work_is_refused_with_the_reason(
    client: httpx.AsyncClient, name: str, changes: dict[str, Any], says: str
) -> None:
    answer = await client.put(f"/api/alert-targets/{name}", json={**TARGET, **changes})

    assert answer.status_code == 400
    assert says in answer.text


async def test_a_name_that_no_target_can_have_is_unknown(client: httpx.AsyncClient) -> None:
    asked = [
        await client.get("/api/alert-targets/%00"),
        await client.post("/api/alert-targets/nobody/test"),
        await client.delete("/api/alert-targets/nobody"),
        await client.get("/api/alert-thresholds/%00"),
        await client.put("/api/alert-thresholds/%00", json={"chains_per_hour": 1}),
        await client.delete("/api/alert-thresholds/nothing"),
        await client.post(f"/api/alert-deliveries/{uuid4()}/retry"),
    ]

    assert [answer.status_code for answer in asked] == [404] * 7


async def test_a_test_message_goes_out_now_and_its_answer_is_told(inner: Settings) -> None:
    async with (
        receiving(says(200, "welcome"), says(403, "who are you")) as receiver,
        running(create_app(inner)) as client,
    ):
        await client.put(
            "/api/alert-targets/team", json={**TARGET, "url": receiver.url, "enabled": False}
        )
        well = (await client.post("/api/alert-targets/team/test")).json()
        badly = (await client.post("/api/alert-targets/team/test")).json()

    assert (well["delivered"], well["status"], well["answer"]) == (True, 200, "welcome")
    assert (badly["delivered"], badly["reason"]) == (False, "HTTP 403: who are you")
    assert receiver.got[0].json["type"] == "alerts.test"
    assert receiver.got[0].headers["webhook-signature"].startswith("v1,")


async def test_the_shape_of_targets_stands_in_the_open_api_document(
    client: httpx.AsyncClient,
) -> None:
    document = (await client.get("/schema/openapi.json")).json()

    put = document["paths"]["/api/alert-targets/{name}"]["put"]
    assert {"200", "400", "412", "428"} <= put["responses"].keys()
    assert "If-Match" in {parameter["name"] for parameter in put["parameters"]}
    assert "secret" not in document["components"]["schemas"]["TargetView"]["properties"]


async def test_the_service_delivers_by_itself_and_measures_it(
    inner: Settings, connection: asyncpg.Connection
) -> None:
    async with receiving() as receiver, running(create_app(inner)) as client:
        await client.put(
            "/api/alert-targets/team",
            json={"kind": "slack", "url": receiver.url, "kinds": ["opened"]},
        )
        await add_event(connection, title="<!channel> it failed", root_service="payment")

        async def delivered() -> Any:
            return (await client.get("/api/alert-deliveries?state=delivered")).json()

        (delivery,) = await until(delivered, seconds=20)
        measured = (await client.get("/metrics")).text

    assert delivery["target"] == "team"
    assert delivery["attempts"] == 1
    assert "&lt;!channel&gt; it failed" in receiver.got[0].json["text"]
    assert 'prodsentinel_alert_deliveries_total{outcome="delivered"}' in measured
    assert "prodsentinel_alerts_dead 0.0" in measured
    assert "prodsentinel_alert_oldest_waiting_seconds" in measured


async def test_what_was_given_up_is_listed_and_tried_again_by_hand(
    inner: Settings, connection: asyncpg.Connection
) -> None:
    async with receiving(says(500), says(200)) as receiver, running(create_app(inner)) as client:
        await add_target(connection, receiver.url)
        await connection.execute(
            "INSERT INTO alert_deliveries (target, kind, payload, state, attempts, ended_at) "
            "SELECT 'team', 'opened', $1, 'dead', 10, now()",
            '{"type": "incident.opened", "timestamp": "2026-07-01T12:00:00Z", '
            '"data": {"kind": "opened"}}',
        )
        (dead,) = (await client.get("/api/alert-deliveries?state=dead")).json()
        again = await client.post(f"/api/alert-deliveries/{dead['delivery_id']}/retry")
        twice = await client.post(f"/api/alert-deliveries/{dead['delivery_id']}/retry")
        await until(receiver.has_got, seconds=20)

    assert (again.status_code, again.json()["state"]) == (200, "waiting")
    assert twice.status_code == 409
    assert receiver.got[0].headers["idempotency-key"] == dead["delivery_id"]


async def test_a_deleted_target_leaves_nothing_waiting_and_nothing_to_retry(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    await client.put("/api/alert-targets/team", json={**TARGET, "enabled": False})
    await connection.execute(
        "INSERT INTO alert_deliveries (target, kind, payload) VALUES ('team', 'opened', '{}')"
    )
    await client.delete("/api/alert-targets/team", headers=ANYHOW)

    (dead,) = (await client.get("/api/alert-deliveries?state=dead&target=team")).json()
    again = await client.post(f"/api/alert-deliveries/{dead['delivery_id']}/retry")

    assert dead["error"] == "the target was deleted"
    assert again.status_code == 409


async def test_a_threshold_is_made_for_a_known_issue_only(client: httpx.AsyncClient) -> None:
    (entry, *_) = (await client.get("/api/known-issues")).json()
    url = f"/api/alert-thresholds/{entry['known_issue_id']}"

    unknown = await client.put("/api/alert-thresholds/no-such", json={"chains_per_hour": 5})
    nothing = await client.put(url, json={"chains_per_hour": 0})
    made = await client.put(url, json={"chains_per_hour": 5})
    stale = await client.put(url, json={"chains_per_hour": 6}, headers={"If-Match": '"7"'})
    read = await client.get(url)
    listed = await client.get("/api/alert-thresholds")
    unseen = [await client.put(url, json={"chains_per_hour": 6}), await client.delete(url)]
    deleted = await client.delete(url, headers=ANYHOW)

    assert [answer.status_code for answer in unseen] == [428, 428]
    assert (unknown.status_code, nothing.status_code, stale.status_code) == (404, 400, 412)
    assert made.json() == read.json() == listed.json()[0]
    assert (made.json()["chains_per_hour"], made.headers["etag"]) == (5, '"1"')
    assert (deleted.status_code, (await client.get(url)).status_code) == (204, 404)


@pytest.mark.parametrize("name", ["PUBLIC_URL", "ALERT_NETWORKS", "ALERT_PRIVATE_TARGETS"])
async def test_the_settings_of_alerts_are_named_when_they_are_wrong(
    name: str, tmp_path: Path
) -> None:
    from app.settings import InvalidSetting, load_settings

    with pytest.raises(InvalidSetting, match=f"PRODSENTINEL_{name}"):
        load_settings({f"PRODSENTINEL_{name}": "nonsense"}, directories=(tmp_path,))
