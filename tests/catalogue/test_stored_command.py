import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.catalogue.test_documents import ENTRY

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.anyio


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    (tmp_path / "guide.md").write_text(ENTRY)
    return tmp_path


def catalogue(*arguments: str, database_url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", "catalogue", *arguments],
        check=False, capture_output=True, text=True, timeout=60, cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url},
    )  # fmt: skip


async def test_import_is_idempotent_and_says_what_changed(
    documents: Path, database_url: str
) -> None:
    first = catalogue("import", str(documents), "--json", database_url=database_url)
    again = catalogue("import", str(documents), "--json", database_url=database_url)
    (documents / "guide.md").write_text(ENTRY.replace("Send some", "Send most"))
    changed = catalogue("import", str(documents), "--json", database_url=database_url)
    (documents / "guide.md").write_text("# empty\n")
    retired = catalogue("import", str(documents), "--json", database_url=database_url)

    answers = [json.loads(done.stdout) for done in (first, again, changed, retired)]
    assert [done.returncode for done in (first, again, changed, retired)] == [0] * 4
    assert answers[0]["new"] == ["too-many-cooks"]
    assert answers[1]["unchanged"] == ["too-many-cooks"]
    assert answers[2]["changed"] == ["too-many-cooks"]
    assert answers[3]["retired"] == ["too-many-cooks"]


async def test_what_cannot_be_used_is_named_and_the_rest_stored(
    documents: Path, database_url: str
) -> None:
    (documents / "broken.md").write_text(ENTRY.replace("message:", "massage:"))
    (documents / "binary.txt").write_bytes(b"\x00\x01")

    done = catalogue("import", str(documents), database_url=database_url)
    listed = catalogue("list", "--json", database_url=database_url)

    assert done.returncode == 1
    assert "broken.md:27: the rule cannot be used" in done.stderr
    assert "binary.txt:1: the file is not text" in done.stderr
    assert [row["known_issue_id"] for row in json.loads(listed.stdout)] == ["too-many-cooks"]


async def test_list_shows_retired_entries_only_when_asked(
    documents: Path, database_url: str
) -> None:
    catalogue("import", str(documents), database_url=database_url)
    (documents / "guide.md").write_text("# empty\n")
    catalogue("import", str(documents), database_url=database_url)

    now = catalogue("list", "--json", database_url=database_url)
    everything = catalogue("list", "--all", database_url=database_url)

    assert json.loads(now.stdout) == []
    assert "too-many-cooks" in everything.stdout


def test_without_a_database_the_variable_is_named(documents: Path) -> None:
    done = catalogue("import", str(documents), database_url="")

    assert done.returncode == 2
    assert "DATABASE_URL is not set" in done.stderr
