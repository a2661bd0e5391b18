"""The bench `pages`, at a size that shows that it runs: every page answers, and is seen."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.benches import pages_asked, pages_seen
from scripts.benches.frame import Options
from scripts.benches.pages import rows

RECORDS = 1_000


@pytest.fixture
def data() -> Iterator[Path]:
    """Where PostgreSQL, which runs as a user of its own, can reach it."""
    with tempfile.TemporaryDirectory(prefix="prodsentinel-tests-") as directory:
        yield Path(directory)


def test_it_fills_incidents_asks_every_page_and_says_what_nobody_saw(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pages_asked, "ENOUGH", 1)
    monkeypatch.setattr(pages_seen, "BROWSERS", ("no-such-browser",))

    found = {row.name: row for row in rows(Options(quick=True, data=data, records=RECORDS))}

    assert found["incidents"].holds
    assert [name for name in found if "answers" in name] == []
    assert (found["server: overview, 24 hours, p95"].value or 0) > 0
    assert found["weight: incidents"].value is None
    assert found["weight: incidents"].holds is None
    assert "NOT MEASURED" in capsys.readouterr().err
