"""The traces: each one as an interpreter or a program wrote it, in a file of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.signatures.model import ErrorReport
from app.signatures.reading import read_error

TRACES = Path(__file__).parent / "traces"


@pytest.fixture
def read() -> Callable[[str], ErrorReport]:
    """Read the trace in `traces/<name>.txt`."""
    return lambda name: read_error((TRACES / f"{name}.txt").read_text())


@pytest.fixture
def chain(read: Callable[[str], ErrorReport]) -> Callable[[str], list[str]]:
    """The types of a trace's errors, root cause first."""
    return lambda name: [error.type for error in read(name).errors]
