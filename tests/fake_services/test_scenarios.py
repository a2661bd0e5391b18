"""Every scenario fails for real, ProdSentinel explains it, and nothing is left running."""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from app.database import asyncpg_dsn
from app.embedded import EmbeddedServer
from app.main import create_app
from app.settings import Settings
from fake_services.scenarios.command import print_list
from fake_services.scenarios.database import driver_dsn
from fake_services.scenarios.model import Scenario, is_on_this_machine, missing, why_not
from fake_services.scenarios.registry import SCENARIOS
from fake_services.scenarios.running import perform
from fake_services.scenarios.stage import Stage
from tests.conftest import running
from tests.fake_services.shop import PATIENCE, ROOT, Receiver, free_port

pytestmark = pytest.mark.anyio

DOCUMENTS = ROOT / "app" / "catalogue" / "documents"
HERE = [one for one in SCENARIOS if not why_not(one, has=is_on_this_machine)]


async def nothing(_: Stage) -> None:
    """Does nothing."""


def a_scenario(**more: object) -> Scenario:
    plain = {"name": "x", "shows": "x", "root_service": "x", "root": "", "run": nothing}
    return Scenario(**{**plain, **more})  # type: ignore[arg-type]


def test_each_known_issue_of_the_catalogue_has_one_scenario() -> None:
    known = [
        name
        for path in DOCUMENTS.glob("*.md")
        for name in re.findall(r"^## .*\{#([\w-]+)\}$", path.read_text(), re.MULTILINE)
    ]

    assert sorted(one.name for one in SCENARIOS) == sorted(known)


@pytest.fixture(scope="module")
async def prodsentinel(
    server: EmbeddedServer, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    """One ProdSentinel for all scenarios."""
    admin = await asyncpg.connect(asyncpg_dsn(server.url))
    await admin.execute(f"CREATE DATABASE scenarios TEMPLATE {make_url(migrated).database}")
    url = make_url(server.url).set(database="scenarios").render_as_string(hide_password=False)
    settings = Settings(
        database_url=url, data_dir=str(tmp_path_factory.mktemp("scenarios")), quiet_seconds=0
    )
    async with running(create_app(settings)) as client:
        yield client
    await admin.execute("DROP DATABASE scenarios WITH (FORCE)")
    await admin.close()


@pytest.mark.parametrize("one", HERE, ids=lambda one: one.name)
async def test_a_scenario_fails_where_it_says_and_its_known_issue_explains_it(
    one: Scenario, receiver: Receiver, prodsentinel: httpx.AsyncClient, server: EmbeddedServer
) -> None:
    outcome = await perform(one, receiver.url, database_url=server.url)
    told = [r for r in list(receiver.records) if r["correlation_id"] in outcome.correlation_ids]
    await prodsentinel.post("/ingest/logs", json=told)
    chains = [await chain_of(prodsentinel, each) for each in outcome.correlation_ids]

    assert (outcome.outcome, outcome.reason) == ("ran", "")
    assert [chain["match"]["known_issue_id"] for chain in chains] == [one.name] * len(chains)
    for chain in chains:
        assert len(chain["services"]) > 1
        if one.root:
            assert chain["root"]["service"] == one.root_service
            assert one.root in chain["root"]["title"]


async def chain_of(prodsentinel: httpx.AsyncClient, correlation_id: str) -> dict[str, Any]:
    answer = await prodsentinel.get(f"/api/chains/{correlation_id}")
    chain: dict[str, Any] = answer.raise_for_status().json()
    return chain


@given(needs=st.lists(st.sampled_from("abcdef")), there=st.sets(st.sampled_from("abcdef")))
def test_what_is_missing_is_what_is_needed_and_not_there(needs: list[str], there: set[str]) -> None:
    one = a_scenario(needs=tuple(needs))

    lacking = missing(one, has=there.__contains__)

    assert set(lacking) == set(needs) - there
    assert [need for need in needs if need in lacking] == list(lacking)


def test_what_is_missing_is_named_in_the_order_of_the_needs() -> None:
    one = a_scenario(needs=("node", "python:redis", "redis-server"))

    assert missing(one, has=lambda need: need == "python:redis") == ("node", "redis-server")


def test_a_scenario_that_can_never_be_honest_says_so_whatever_is_there() -> None:
    one = a_scenario(cannot="it would have to lie")

    assert why_not(one, has=lambda _: True) == "it would have to lie"


async def test_a_scenario_whose_needs_are_missing_is_skipped_with_the_reason() -> None:
    one = a_scenario(needs=("no-such-program", "python:no_such_package"))

    outcome = await perform(one, "http://127.0.0.1:1")

    assert outcome.outcome == "skipped"
    assert "no-such-program, the Python package no_such_package" in outcome.reason


async def test_a_scenario_that_did_not_fail_as_it_should_has_failed(receiver: Receiver) -> None:
    async def behave(stage: Stage) -> None:
        speaker = stage.telemetry("x")
        with stage.span():
            speaker.info("all is well")

    outcome = await perform(a_scenario(run=behave, root="KeyError"), receiver.url)

    assert outcome.outcome == "failed"
    assert "x did not fail with KeyError" in outcome.reason


async def test_a_scenario_that_nobody_listens_to_has_failed() -> None:
    async def speak(stage: Stage) -> None:
        speaker = stage.telemetry("x")
        with stage.span():
            speaker.info("is anybody there")

    outcome = await perform(a_scenario(run=speak), "http://127.0.0.1:1")

    assert outcome.outcome == "failed"
    assert "1 log records were not taken" in outcome.reason


async def test_a_database_of_its_own_is_brought_where_none_is_given() -> None:
    async with Stage("x", "http://127.0.0.1:1") as stage:
        connection = await asyncpg.connect(driver_dsn(make_url(await stage.database())))
        tables = await connection.fetchval(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        )
        await connection.close()

    assert tables == 0


async def test_a_request_that_goes_well_is_no_chain_of_the_failure(receiver: Receiver) -> None:
    async with Stage("x", receiver.url) as stage:
        url = await stage.service("x")
        await stage.request("GET", f"{url}/health", goes_well=True)
        await stage.request("GET", f"{url}/health")

    assert len(stage.chains) == 1


def test_the_command_prints_what_a_bench_reads(receiver: Receiver) -> None:
    done = command("malformed-code-block", "--json", "--url", receiver.url)

    (told,) = json.loads(done.stdout)
    assert done.returncode == 0
    assert (told["scenario"], told["outcome"], told["reason"]) == (
        "malformed-code-block",
        "ran",
        "",
    )
    assert (told["known_issue_id"], told["root_service"]) == (
        "malformed-code-block",
        "conciliacion",
    )
    assert [r["level"] for r in receiver.chain(told["correlation_ids"][0], until=3)].count(
        "ERROR"
    ) == 2


def test_a_scenario_that_could_not_run_ends_the_command_with_1() -> None:
    done = command("malformed-code-block", "--json", "--url", f"http://127.0.0.1:{free_port()}")

    assert done.returncode == 1
    assert "were not taken at" in json.loads(done.stdout)[0]["reason"]


def test_the_list_says_of_each_scenario_whether_it_runs_here(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_list("", as_json=True)

    listed = {one["scenario"]: one["runs_here"] for one in json.loads(capsys.readouterr().out)}
    assert {name for name, here in listed.items() if here} == {one.name for one in HERE}


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fake_services", "scenario", *arguments],
        check=False, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE,
    )  # fmt: skip


async def test_a_process_is_gone_when_the_stage_is_closed(receiver: Receiver) -> None:
    async with Stage("x", receiver.url) as stage:
        scratch = stage.scratch
        child = await stage.start("sleep", "60")

    assert (await child.finished(5)).code < 0
    assert not scratch.exists()
