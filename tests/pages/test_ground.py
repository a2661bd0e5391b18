"""What all pages share: headers, compression, errors, assets."""

import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from app.main import create_app
from app.pages.assets import Assets
from app.pages.drawing import make_environment
from app.pages.headers import CONTENT_SECURITY_POLICY
from app.settings import Settings
from tests.conftest import running

pytestmark = pytest.mark.anyio
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


async def test_every_page_forbids_scripts_and_styles_that_are_not_its_own(
    client: httpx.AsyncClient,
) -> None:
    for path in ("/", "/incidents", "/nothing-here", "/incidents?after=%21"):
        answer = await client.get(path, headers=BROWSER)

        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", answer.text)


async def test_an_address_without_a_page_is_a_page_to_people_and_a_problem_to_programs(
    client: httpx.AsyncClient,
) -> None:
    people = await client.get("/nothing-here", headers=BROWSER)
    programs = await client.get("/nothing-here")
    api = await client.get("/api/nothing-here", headers=BROWSER)

    assert (people.status_code, people.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing here" in people.text
    assert programs.headers["content-type"] == "application/problem+json"
    assert api.headers["content-type"] == "application/problem+json"


async def test_a_cursor_that_was_made_up_gets_a_page_that_says_so(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/incidents", params={"after": "made up"})

    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert "cursor" in answer.text


async def test_a_part_that_cannot_be_drawn_gets_no_page_inside_the_page(
    client: httpx.AsyncClient,
) -> None:
    part = {"HX-Request": "true", "HX-Request-Type": "partial"}

    answer = await client.get("/incidents", params={"after": "made up"}, headers=part)

    assert answer.status_code == 400
    assert "cursor" in answer.text
    assert "<html" not in answer.text


async def test_pages_are_compressed_and_the_api_is_as_it_was(client: httpx.AsyncClient) -> None:
    page = await client.get("/", headers={"Accept-Encoding": "gzip"})
    api = await client.get("/api/known-issues", headers={"Accept-Encoding": "gzip"})

    assert page.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in api.headers


async def test_every_file_a_page_names_is_there_and_kept_for_ever(
    client: httpx.AsyncClient,
) -> None:
    page = (await client.get("/")).text
    named = set(re.findall(r'(?:href|src)="(/assets/[^"#]+)', page))

    answers = [await client.get(address) for address in sorted(named)]

    assert len(named) > 3
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["cache-control"] for answer in answers} == {
        "public, max-age=31536000, immutable"
    }


async def test_a_file_of_another_version_is_given_and_not_kept(client: httpx.AsyncClient) -> None:
    answer = await client.get("/assets/0123456789abcdef/base.css")
    outside = await client.get("/assets/0123456789abcdef/../../main.py")

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    assert outside.status_code == 404


async def test_without_its_database_the_service_answers_with_a_page_that_says_so(
    tmp_path: Path,
) -> None:
    settings = Settings(
        database_url="postgresql://nobody@127.0.0.1:9/nothing", data_dir=str(tmp_path),
        pool_timeout_seconds=0.5, connect_timeout_seconds=0.5,
    )  # fmt: skip
    async with running(create_app(settings)) as client:
        await client.get("/ingest/health")

        answer = await client.get("/")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Not at this moment" in answer.text


def test_without_the_built_files_pages_read_and_say_how_to_build_them(tmp_path: Path) -> None:
    bare = make_environment(Assets(built=tmp_path))
    values = {"request_path": "/", "now": datetime.now(UTC), "health": None}
    values |= {"code": 404, "title": "", "detail": "", "errors": []}
    ui = bare.get_template("ui.html").make_module(values)

    html = bare.get_template("problem.html").render(values, ui=ui)

    assert "python3 scripts/assets.py" in html
    assert "/built/" not in html


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize(
    "address",
    [
        "/catalogue/documents/imported?at={}",
        "/logs/record?correlation_id=a&record_id=7d3c1a52-8a0f-4c0e-9c1b-2f6f0f0d9a11&occurred_at={}",
        "/logs?from={}",
    ],
)
async def test_a_moment_that_no_clock_ever_shows_fails_no_page(
    client: httpx.AsyncClient, address: str, moment: str
) -> None:
    answer = await client.get(address.format(moment))

    assert answer.status_code < 500


async def test_what_is_no_page_is_as_private_as_one(client: httpx.AsyncClient) -> None:
    record = {"service": "payment", "message": "paid", "correlation_id": "order-1"}
    await client.post("/ingest/logs", json=record)

    answers = [
        await client.get(address)
        for address in ("/logs", "/chains/order-1?format=md", "/logs/export", "/logs/completion")
    ]

    assert [answer.status_code for answer in answers] == [200] * 4
    for answer in answers:
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"
