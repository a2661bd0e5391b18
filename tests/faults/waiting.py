"""What waits in the spool of an API process, as its file says."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

from tests.faults.rig import until

SPOOL_FILE: Final = Path("data", "spool", "spool.sqlite")


def records_waiting(home: Path) -> int:
    """What waits in the spool, by the file's own account."""
    if not (home / SPOOL_FILE).exists():
        return 0
    with contextlib.closing(sqlite3.connect(home / SPOOL_FILE, timeout=5)) as spool:
        return int(spool.execute("SELECT coalesce(sum(records), 0) FROM batches").fetchone()[0])


def written_at(home: Path) -> list[int]:
    """When the files of the spool were last written."""
    return [file.stat().st_mtime_ns for file in sorted((home / SPOOL_FILE.parent).glob("*sqlite*"))]


async def until_drained(home: Path) -> None:
    async def nothing_waits() -> bool:
        return records_waiting(home) == 0

    await until(nothing_waits, seconds=40)
