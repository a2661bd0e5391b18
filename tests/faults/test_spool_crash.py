"""Processes that use a spool are killed, meet each other, and run out of disk."""

import itertools
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from app.store.spool import Spool
from tests.store.spooled import drained

ROOT = Path(__file__).resolve().parents[2]
ENOUGH = 1 << 30

START = """
import resource, sys
from pathlib import Path
from app.errors import AppError
from app.store.spool import Spool
from tests.store.spooled import large, record
spool = Spool(Path(sys.argv[1]), max_bytes=1 << 30)
first = int(sys.argv[2])
def tell(*words):
    print(*words, flush=True)
"""
# Each batch: a record with its number, and now and then enough bytes to fill the log.
APPEND = """
tell("ready")
for number in range(first, first + int(sys.argv[3])):
    spool.append([record(number), large(number, 400_000 if number % 20 == 0 else 400)])
    tell(number)
"""
DRAIN = """
tell("ready")
with spool.draining() as may:
    assert may
    while batch := spool.oldest():
        tell(batch.records[0].sequence)
        spool.remove(batch.ids)
"""
HOLD = """
with spool.draining() as may:
    tell(may)
    sys.stdin.read()
"""
FILL = """
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (first, hard))
taken = []
refusal = None
for number in range(1000):
    try:
        spool.append([large(number, 20_000)])
        taken.append(number)
    except AppError as error:
        refusal = refusal or type(error).__name__
        if number > len(taken) + 5:
            break
assert refusal, "never full"
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
spool.append([record(5000)])
tell(*taken, 5000)
"""
FILL_DISK = """
import os
taken, removed = [], []
def append(numbers):
    for number in numbers:
        try:
            spool.append([large(number, 100_000)])
        except AppError as error:
            assert type(error).__name__ == "SpoolFull", error
            return
        taken.append(number)
def remove(most):
    while len(removed) < most and (batch := spool.oldest()):
        try:
            spool.remove(batch.ids)
        except AppError as error:
            return type(error).__name__
        removed.append(batch.records[0].sequence)
def fill():
    with open(sys.argv[1] + "/else", "wb", buffering=0) as other:
        try:
            while other.write(bytes(4096)):
                pass
        except OSError:
            pass
append(range(1000))
assert spool.state().full and len(taken) > 50
assert remove(20) is None
fill()
append(range(1000, 1010))
assert taken[-1] < 1000
assert remove(40) in (None, "SpoolFull")
os.unlink(sys.argv[1] + "/else")
assert remove(1000) is None
assert removed == taken
assert not spool.state().full
append(range(2000, 2005))
assert taken[-1] == 2004
tell(len(taken))
"""
# A mount of its own: it ends with the process.
OWN_DISK = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
MOUNT = 'mount -t tmpfs -o size=40m tmpfs "$0"'


def has_own_disks() -> bool:
    with tempfile.TemporaryDirectory() as directory:
        try:
            done = subprocess.run([*OWN_DISK, MOUNT, directory], check=False, capture_output=True)
        except FileNotFoundError:
            return False
        return done.returncode == 0


@contextmanager
def process(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", START + script, *map(str, arguments)]
    started = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with started:
        try:
            yield started
        finally:
            started.kill()


def output(started: subprocess.Popen[str]) -> IO[str]:
    assert started.stdout
    return started.stdout


def told_before_kill(started: subprocess.Popen[str], lines: int) -> list[int]:
    """The numbers it told until kill -9, which falls somewhere after so many of them."""
    assert output(started).readline() == "ready\n"
    told = [output(started).readline() for _ in range(lines)]
    started.kill()
    told += output(started)
    # What a kill cut in the middle was told to nobody.
    return [int(line) for line in told if line.endswith("\n")]


def numbers(spool: Spool) -> list[int]:
    return [batch[0].sequence or 0 for batch in drained(spool)]


def test_every_acknowledged_batch_outlives_kill_9_once_and_in_order(tmp_path: Path) -> None:
    rounds = []
    for start, lines in zip(range(0, 60_000, 10_000), (1, 3, 8, 21, 40, 60), strict=True):
        with process(APPEND, tmp_path, start, 10_000) as writer:
            rounds.append(told_before_kill(writer, lines))
    spool = Spool(tmp_path, max_bytes=ENOUGH)

    found = numbers(spool)
    spool.close()

    for told in rounds:
        start = told[0]
        mine = [number for number in found if start <= number < start + 10_000]
        assert mine[: len(told)] == told
        # One more may be there: committed, and killed before its answer.
        assert mine == [*range(start, start + len(mine))]
        assert len(mine) - len(told) in (0, 1)
    assert found == sorted(found)


def test_a_drain_killed_again_and_again_misses_nothing(tmp_path: Path) -> None:
    with process(APPEND, tmp_path, 0, 200) as writer:
        told = [int(line) for line in output(writer).readlines()[1:]]
    drains = []
    for lines in (1, 4, 9, 20):
        with process(DRAIN, tmp_path, 0) as drainer:
            drains.append(told_before_kill(drainer, lines))
    spool = Spool(tmp_path, max_bytes=ENOUGH)

    drains.append(numbers(spool))
    state = spool.state()
    spool.close()

    assert told == [*range(200)]
    for before, after in itertools.pairwise(filter(None, drains)):
        # The last one told may come again: it was killed before the batch was removed.
        assert after[0] - before[-1] in (0, 1)
    assert sorted({number for drain in drains for number in drain}) == told
    assert all(drain == sorted(set(drain)) for drain in drains)
    assert (state.batches, state.records) == (0, 0)


def test_two_processes_append_at_once_from_nothing(tmp_path: Path) -> None:
    with (
        process(APPEND, tmp_path / "spool", 0, 100) as one,
        process(APPEND, tmp_path / "spool", 1000, 100) as other,
    ):
        codes = one.communicate(timeout=60), other.communicate(timeout=60)
    spool = Spool(tmp_path / "spool", max_bytes=ENOUGH)

    found = numbers(spool)
    spool.close()

    assert [len(out.split()) for out, _ in codes] == [101, 101]
    assert [number for number in found if number < 1000] == [*range(100)]
    assert [number for number in found if number >= 1000] == [*range(1000, 1100)]


def test_the_right_to_drain_ends_with_the_process(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=ENOUGH)
    with process(HOLD, tmp_path, 0) as holder:
        theirs = output(holder).readline()
        with spool.draining() as while_it_lives:
            pass
        holder.kill()
        holder.wait(timeout=10)
        with spool.draining() as after:
            pass

    assert (theirs, while_it_lives, after) == ("True\n", False, True)


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_FSIZE)[1] != resource.RLIM_INFINITY,
    reason="files are limited here already",
)
@pytest.mark.parametrize("limit", [0, 4096, 60_000, 1_000_000, 5_000_000])
def test_where_the_disk_ends_a_batch_is_whole_or_refused(tmp_path: Path, limit: int) -> None:
    with process(FILL, tmp_path / "spool", limit) as writer:
        out, _ = writer.communicate(timeout=60)
    spool = Spool(tmp_path / "spool", max_bytes=ENOUGH)

    found = numbers(spool)
    spool.close()

    assert found == [int(number) for number in out.split()]


@pytest.mark.skipif(not has_own_disks(), reason="this user may not mount a small disk")
def test_a_spool_on_a_full_disk_still_drains(tmp_path: Path) -> None:
    python = [sys.executable, "-c", START + FILL_DISK, str(tmp_path), "0"]

    done = subprocess.run(
        [*OWN_DISK, f'{MOUNT} && exec "$@"', str(tmp_path), *python],
        check=False, cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50
