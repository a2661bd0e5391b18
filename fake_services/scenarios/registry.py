"""All scenarios, in the order of the catalogue's documents."""

from typing import Final

from fake_services.scenarios import (
    commerce_cache,
    commerce_chats,
    commerce_operations,
    commerce_payments,
    commerce_platform,
    commerce_reviews,
    commerce_tests,
    deployment,
    python_services,
    technical_debt,
)
from fake_services.scenarios.model import Scenario

SCENARIOS: Final[tuple[Scenario, ...]] = (
    *python_services.SCENARIOS,
    *deployment.SCENARIOS,
    *technical_debt.SCENARIOS,
    *commerce_platform.SCENARIOS,
    *commerce_tests.SCENARIOS,
    *commerce_reviews.SCENARIOS,
    *commerce_operations.SCENARIOS,
    *commerce_cache.SCENARIOS,
    *commerce_payments.SCENARIOS,
    *commerce_chats.SCENARIOS,
)
BY_NAME: Final = {one.name: one for one in SCENARIOS}
