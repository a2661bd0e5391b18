from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.store.spool import Spool
from tests.store.spooled import MIB


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool"


@pytest.fixture
def opened(directory: Path) -> Iterator[Callable[[int], Spool]]:
    spools = []

    def make(max_bytes: int) -> Spool:
        spools.append(Spool(directory, max_bytes=max_bytes))
        return spools[-1]

    yield make
    for spool in spools:
        spool.close()


@pytest.fixture
def spool(opened: Callable[[int], Spool]) -> Spool:
    return opened(64 * MIB)
