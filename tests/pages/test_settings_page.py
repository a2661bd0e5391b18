"""Settings: the service's own state, where alerts go, what is in force."""

import re
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from app.database import Database
from app.main import create_app
from app.pages.in_force import settings_in_force
from app.query import state_queries
from app.settings import Settings, environment_names
from tests.alerts.receiver import receiving, says
from tests.conftest import running
from tests.pages.documents import shown_text
from tests.pages.payloads import PAYLOADS, dangers
from tests.query.test_incidents import statements

pytestmark = pytest.mark.anyio
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = "a-very-secret-path"
FORM = {
    "name": "team",
    "kind": "generic",
    "url": f"https://alerts.example.com/{PATH}",
    "secret": SECRET,
    "kinds": ["opened", "regressed"],
    "known": "both",
    "services": "payment, gateway",
    "environments": "",
    "per_minute": "20",
    "enabled": "yes",
    "weekdays": ["mon", "tue"],
    "zone": "UTC",
}


async def target(client: httpx.AsyncClient, name: str = "team") -> Any:
    return (await client.get(f"/api/alert-targets/{name}")).json()


async def test_every_setting_in_force_is_named_with_its_variable(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/settings")

    told = shown_text(page.text)
    assert page.status_code == 200
    for name in environment_names().values():
        assert name in told


def test_nothing_of_the_database_url_but_its_place_is_shown() -> None:
    url = "postgresql://ada:pass%40word@db.example:5433/shop?password=other&sslkey=k"

    rows = settings_in_force(Settings(database_url=url))

    shown = next(row.value for row in rows if row.name == "DATABASE_URL")
    assert shown == "postgresql, db.example:5433, database shop"
    assert not [row for row in rows if re.search("ada|pass|word@|other", row.value)]


async def test_the_state_is_told_line_by_line(client: httpx.AsyncClient) -> None:
    told = shown_text((await client.get("/settings")).text)

    for line in (
        "ok Database PostgreSQL",
        "ok Migrations at",
        "ok Spool empty",
        "ok Digest nothing waits",
        "entries, all that the documents hold",
        "warning Alerts go nowhere Add a target below.",
    ):
        assert line in told


async def test_without_its_database_the_page_says_so_and_shows_the_rest(
    settings: Settings,
) -> None:
    away = msgspec.structs.replace(settings, database_url="postgresql://127.0.0.1:1/none")

    app = create_app(away)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        page = await client.get("/settings")

    told = shown_text(page.text)
    assert page.status_code == 200
    assert "problem Database unreachable" in told
    assert "PRODSENTINEL_RETENTION_DAYS" in told


async def test_a_target_is_made_changed_and_deleted_by_forms(client: httpx.AsyncClient) -> None:
    made = await client.post("/settings/targets", data=FORM)
    first = await target(client)
    page = await client.get("/settings/targets/team")
    changed = await client.post(
        "/settings/targets/team",
        data={**FORM, "url": "", "secret": "", "per_minute": "3", "version": "1",
              "begins": "22:00", "ends": "06:00", "enabled": ""},
    )  # fmt: skip
    second = await target(client)
    deleted = await client.post("/settings/targets/team/delete", data={"version": "2"})
    gone = await client.get("/settings/targets/team")

    assert [one.status_code for one in (made, changed, deleted)] == [303] * 3
    assert first["services"] == ["payment", "gateway"]
    assert first["kinds"] == ["opened", "regressed"]
    assert 'value="payment, gateway"' in page.text
    assert (second["per_minute"], second["enabled"]) == (3, False)
    assert second["quiet"] == {
        "begins": "22:00", "ends": "06:00", "zone": "UTC", "weekdays": ["mon", "tue"],
    }  # fmt: skip
    assert second["has_secret"] is True
    assert gone.status_code == 404


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "ftp://example.com"}, "url"),
        ({"url": "http://127.0.0.1/x"}, "url"),
        ({"secret": ""}, "a generic target needs a `secret`"),
        ({"secret": "whsec_short"}, "secret"),
        ({"per_minute": "many"}, "per_minute"),
        ({"kinds": []}, "kinds"),
        ({"name": "two words"}, "a name is 1 to 100 of"),
        ({"begins": "22:00"}, "ends"),
        ({"begins": "22:00", "ends": "06:00", "zone": "Nowhere"}, "zone"),
    ],
)
async def test_what_is_wrong_in_a_form_is_said_beside_what_was_written(
    client: httpx.AsyncClient, changes: dict[str, Any], said: str
) -> None:
    answer = await client.post("/settings/targets", data={**FORM, **changes})

    assert answer.status_code == 400
    assert "It was not saved." in answer.text
    assert said in shown_text(answer.text)
    assert 'value="payment, gateway"' in answer.text
    assert SECRET not in answer.text
    assert (await client.get("/api/alert-targets")).json() == []


async def test_of_two_who_change_a_target_the_second_is_told(client: httpx.AsyncClient) -> None:
    await client.post("/settings/targets", data=FORM)
    taken = await client.post("/settings/targets", data={**FORM, "per_minute": "9"})
    first = await client.post("/settings/targets/team", data={**FORM, "version": "1"})
    second = await client.post("/settings/targets/team", data={**FORM, "version": "1"})
    deleted = await client.post("/settings/targets/team/delete", data={"version": "1"})

    assert (taken.status_code, first.status_code) == (409, 303)
    assert "A target named team exists" in taken.text
    assert (second.status_code, deleted.status_code) == (412, 412)
    assert "Somebody changed it since you read it" in second.text
    assert (await target(client))["per_minute"] == 20


async def test_secrets_stand_on_no_page(client: httpx.AsyncClient) -> None:
    await client.post("/settings/targets", data=FORM)

    pages = [
        await client.get("/settings"),
        await client.get("/settings/targets/team"),
        await client.post("/settings/targets/team/test"),
        await client.post("/settings/targets/team", data={**FORM, "version": "9"}),
    ]

    for page in pages:
        assert SECRET not in page.text
    for page in pages[:3]:
        assert PATH not in page.text
        assert "https://alerts.example.com/…" in page.text


async def test_a_test_message_shows_what_came_back(settings: Settings) -> None:
    inner = msgspec.structs.replace(settings, alert_private_targets=True)
    async with (
        receiving(says(200, "thanks <b>"), says(500, "no <script>")) as receiver,
        running(create_app(inner)) as client,
    ):
        await client.post("/settings/targets", data={**FORM, "url": receiver.url})
        well = await client.post("/settings/targets/team/test")
        badly = await client.post("/settings/targets/team/test")

    assert len(receiver.got) == 2
    assert "Delivered HTTP 200" in shown_text(well.text)
    assert "thanks &lt;b&gt;" in well.text
    assert "Not delivered HTTP 500" in shown_text(badly.text)
    assert dangers(badly.text) == []


async def test_a_message_that_was_given_up_is_tried_again(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    await client.post("/settings/targets", data={**FORM, "enabled": ""})
    delivery = await connection.fetchval(
        "INSERT INTO alert_deliveries (target, kind, payload, state, attempts, ended_at, error) "
        "VALUES ('team', 'opened', '{}', 'dead', 10, now(), 'refused <i>') RETURNING delivery_id"
    )
    page = await client.get("/settings")

    again = await client.post(f"/settings/deliveries/{delivery}/retry")
    twice = await client.post(f"/settings/deliveries/{delivery}/retry")

    told = shown_text(page.text)
    assert "10 attempts" in told
    assert "refused &lt;i&gt;" in page.text
    assert (again.status_code, twice.status_code) == (303, 409)
    state = await connection.fetchval("SELECT state FROM alert_deliveries")
    assert state != "dead"


async def test_thresholds_are_made_changed_and_deleted(client: httpx.AsyncClient) -> None:
    url, name = "/settings/thresholds", "raw-sql-text"
    made = await client.post(url, data={"known_issue_id": name, "chains_per_hour": "5"})
    page = await client.get("/settings")
    changed = await client.post(
        url, data={"known_issue_id": name, "chains_per_hour": "7", "version": "1"}
    )
    (stored,) = (await client.get("/api/alert-thresholds")).json()
    refused = [
        await client.post(url, data={"known_issue_id": name, "chains_per_hour": "x"}),
        await client.post(url, data={"known_issue_id": name, "chains_per_hour": "9"}),
        await client.post(url, data={"known_issue_id": "none", "chains_per_hour": "9"}),
    ]
    deleted = await client.post(
        url, data={"known_issue_id": name, "chains_per_hour": "", "version": "2"}
    )

    assert (made.status_code, changed.status_code, deleted.status_code) == (303, 303, 303)
    assert f'href="/catalogue/{name}"' in page.text
    assert stored["chains_per_hour"] == 7
    assert [one.status_code for one in refused] == [400, 428, 404]
    assert (await client.get("/api/alert-thresholds")).json() == []


async def test_nothing_that_people_and_receivers_write_is_an_element(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    for number, payload in enumerate(PAYLOADS):
        wrong = await client.post(
            "/settings/targets",
            data={**FORM, "name": payload, "services": payload, "url": payload, "zone": payload},
        )
        assert wrong.status_code == 400
        assert dangers(wrong.text) == [], payload
        await connection.execute(
            "INSERT INTO alert_targets (name, kind, url, kinds, services, environments, "
            "per_minute, disabled_reason) VALUES ($1, 'slack', 'https://e.example', "
            "'{opened}', $2, $2, 20, $3)",
            f"t{number}", [payload], payload,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO alert_deliveries (target, kind, payload, state, error) "
            "VALUES ($1, $1, '{}', 'dead', $1)", payload,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO alert_thresholds (known_issue_id, chains_per_hour) VALUES ($1, 5)", payload
        )
        page = await client.get(f"/settings/targets/t{number}")
        assert dangers(page.text) == [], payload

    assert dangers((await client.get("/settings")).text) == []


@pytest.mark.usefixtures("client")
async def test_the_state_is_read_with_as_many_statements_however_many_days(
    database: Database, connection: asyncpg.Connection
) -> None:
    async def count() -> int:
        async with database.session() as session:
            with statements(database) as sent:
                await state_queries.stored_state(session)
        return len(sent)

    before = await count()
    for day in range(1, 9):
        await connection.execute(
            f"CREATE TABLE log_records_2020010{day} PARTITION OF log_records "
            f"FOR VALUES FROM ('2020-01-0{day}') TO ('2020-01-0{day + 1}')"
        )

    assert await count() == before == 4
