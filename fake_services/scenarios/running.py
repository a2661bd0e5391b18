"""Runs a scenario and says how it went."""

import asyncio
import functools
from typing import Final, Literal

from fake_services.scenarios.model import Outcome, Scenario, is_on_this_machine, why_not
from fake_services.scenarios.stage import Stage

SCENARIO_SECONDS: Final = 30.0


async def perform(scenario: Scenario, url: str, *, database_url: str = "") -> Outcome:
    """Runs it against the ProdSentinel at `url`; never raises for what the scenario does."""
    has = functools.partial(is_on_this_machine, database_url=database_url)
    if reason := why_not(scenario, has=has):
        return _outcome(scenario, "skipped", reason, ())
    stage = Stage(scenario.name, url, database_url=database_url)
    limit = asyncio.timeout(SCENARIO_SECONDS)
    try:
        async with limit, stage:
            await scenario.run(stage)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the next one may run
        late = f"took longer than {SCENARIO_SECONDS:.0f} s"
        reason = late if limit.expired() else f"{type(error).__name__}: {error}"
    else:
        reason = _shortcoming(scenario, stage)
    return _outcome(scenario, "failed" if reason else "ran", reason, tuple(stage.chains))


def _shortcoming(scenario: Scenario, stage: Stage) -> str:
    if stage.lost:
        where = stage.prodsentinel_url
        return f"{stage.lost} log records were not taken at {where}; --url names another place"
    if not stage.chains:
        return "it began no chain"
    told = stage.errors_of(scenario.root_service)
    if scenario.root and not any(scenario.root in text for text in told):
        latest = told[-1].strip().splitlines()[-1] if told else "no error at all"
        return f"{scenario.root_service} did not fail with {scenario.root}, but told: {latest}"
    return ""


def _outcome(
    scenario: Scenario,
    outcome: Literal["ran", "skipped", "failed"],
    reason: str,
    chains: tuple[str, ...],
) -> Outcome:
    return Outcome(
        scenario=scenario.name,
        outcome=outcome,
        reason=reason,
        correlation_ids=chains,
        root_service=scenario.root_service,
        root=scenario.root,
        known_issue_id=scenario.name,
    )
