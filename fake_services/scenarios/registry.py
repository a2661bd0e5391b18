"""All scenarios, in the order of the catalogue's documents."""

from typing import Final

from fake_services.scenarios import (
    commerce_operations,
    commerce_platform,
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
    *commerce_operations.SCENARIOS,
)
BY_NAME: Final = {one.name: one for one in SCENARIOS}
