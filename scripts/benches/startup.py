"""From process start to ready, on a migrated database."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from scripts.benches.frame import Options, Row
from scripts.stack import ROOT, Stack, database, free_ports

GOAL_SECONDS = 2.0


def rows(options: Options) -> Iterator[Row]:
    """The median of several starts, beside what Python and the imports alone take."""
    rounds = 3 if options.quick else 9
    with tempfile.TemporaryDirectory(prefix="prodsentinel-bench-") as directory:
        data = Path(directory)
        with database(data) as url:
            _seconds_to_ready(data, url)  # the first start makes partitions and the catalogue
            ready = [_seconds_to_ready(data, url) for _ in range(rounds)]
    bare = statistics.median(_seconds_of("pass") for _ in range(rounds))
    imports = statistics.median(_seconds_of("import uvicorn, app.main") for _ in range(rounds))
    median = statistics.median(ready)
    yield Row("start to ready, median", median, "s", f"< {GOAL_SECONDS:g}", median < GOAL_SECONDS)
    yield Row("start to ready, slowest", max(ready), "s", "", None)
    yield Row("of that, imports", imports, "s", "", None)
    yield Row("of that, Python itself", bare, "s", "", None)


def _seconds_to_ready(data: Path, url: str) -> float:
    with Stack(data / "logs") as stack:
        started = time.perf_counter()
        api = stack.start_api(url, free_ports(1)[0])
        seconds = time.perf_counter() - started
        httpx.get(f"{api}/ingest/health").raise_for_status()
    return seconds


def _seconds_of(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    return time.perf_counter() - started
