"""Scenarios of `commerce-platform.md`."""

from typing import Final

from fake_services.scenarios.model import Scenario

SCENARIOS: Final[tuple[Scenario, ...]] = ()
