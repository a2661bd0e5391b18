"""Every scenario fails for real, tells ProdSentinel about it, and leaves nothing running."""

import re
from pathlib import Path

import pytest

from fake_services.scenarios.model import Scenario, is_on_this_machine, missing, why_not
from fake_services.scenarios.registry import SCENARIOS
from fake_services.scenarios.running import perform
from fake_services.scenarios.stage import Stage
from tests.fake_services.shop import Receiver

pytestmark = pytest.mark.anyio

DOCUMENTS = Path(__file__).resolve().parents[2] / "app" / "catalogue" / "documents"
HERE = [one for one in SCENARIOS if not why_not(one, has=is_on_this_machine)]


async def nothing(_: Stage) -> None:
    """Does nothing."""


def a_scenario(**more: object) -> Scenario:
    given = {"name": "x", "shows": "x", "root_service": "x", "root": "", "run": nothing, **more}
    return Scenario(**given)  # type: ignore[arg-type]


def test_each_known_issue_of_the_catalogue_has_one_scenario() -> None:
    known = [
        name
        for path in DOCUMENTS.glob("*.md")
        for name in re.findall(r"^## .*\{#([\w-]+)\}$", path.read_text(), re.MULTILINE)
    ]

    assert sorted(one.name for one in SCENARIOS) == sorted(known)


@pytest.mark.parametrize("one", HERE, ids=lambda one: one.name)
async def test_a_scenario_fails_where_it_says_and_tells_of_it(
    one: Scenario, receiver: Receiver
) -> None:
    outcome = await perform(one, receiver.url)
    told = [r for r in list(receiver.records) if r["correlation_id"] in outcome.correlation_ids]

    assert (outcome.outcome, outcome.reason) == ("ran", "")
    assert one.root_service in {record["service"] for record in told}


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


async def test_a_process_is_gone_when_the_stage_is_closed(receiver: Receiver) -> None:
    async with Stage("x", receiver.url) as stage:
        scratch = stage.scratch
        child = await stage.start("sleep", "60")

    assert (await child.finished(5)).code < 0
    assert not scratch.exists()
