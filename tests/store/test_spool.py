import shutil
import stat
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from app.normalise.record import LogRecord
from app.store.spool import Spool, SpoolFull, SpoolState
from app.store.spool_file import MOST_LOG_BYTES
from tests.store.spooled import BATCHES, MIB, drained, edit, large, record, size


class SpoolAgainstList(RuleBasedStateMachine):
    """Whatever is done to a spool, it is a queue that also survives being closed."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="prodsentinel-spool-"))
        self.spool = Spool(self.directory, max_bytes=MIB)
        self.model: deque[tuple[LogRecord, ...]] = deque()
        self.unstorable = 0

    @rule(batch=BATCHES)
    def append(self, batch: list[LogRecord]) -> None:
        self.spool.append(batch)
        self.model.append(tuple(batch))

    @rule()
    def look(self) -> None:
        batch = self.spool.oldest()

        assert (batch.records if batch else None) == (self.model[0] if self.model else None)
        assert self.spool.holds_any() == bool(self.model)

    @precondition(lambda self: self.model)
    @rule(refused=st.integers(0, 2))
    def remove(self, refused: int) -> None:
        batch = self.spool.oldest()
        assert batch
        self.spool.remove(batch.ids, unstorable=batch.records[:refused])

        self.unstorable += len(self.model.popleft()[:refused])

    @rule()
    def reopen(self) -> None:
        self.spool.close()
        self.spool = Spool(self.directory, max_bytes=MIB)

    @rule()
    def count(self) -> None:
        state = self.spool.state()

        assert (state.batches, state.records) == (len(self.model), sum(map(len, self.model)))
        assert (state.unstorable, state.unreadable, state.full) == (self.unstorable, 0, False)

    def teardown(self) -> None:
        assert drained(self.spool) == list(self.model)
        self.spool.close()
        shutil.rmtree(self.directory)


SpoolAgainstList.TestCase.settings = hypothesis.settings(max_examples=25, stateful_step_count=20)
TestSpoolAgainstList = SpoolAgainstList.TestCase


def test_nothing_is_made_before_the_first_append(spool: Spool, directory: Path) -> None:
    assert (spool.holds_any(), spool.oldest(), spool.state()) == (False, None, SpoolState())
    spool.append([])

    assert not directory.exists()


def test_what_is_made_is_for_this_user_only(spool: Spool, directory: Path) -> None:
    spool.append([record()])

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}, modes


def fill(spool: Spool, batch: Callable[[int], list[LogRecord]]) -> int:
    """How many batches were taken before one was refused."""
    for number in range(10_000):
        try:
            spool.append(batch(number))
        except SpoolFull:
            return number
    raise AssertionError("never full")


def test_a_full_spool_refuses_whole_batches_and_still_drains(
    opened: Callable[[int], Spool], directory: Path
) -> None:
    spool = opened(MIB)
    kept = fill(spool, lambda number: [large(number), large(number)])
    full = spool.state()

    first = spool.oldest()
    assert first
    spool.remove(first.ids)

    assert full.full
    assert full.batches == kept > 10
    assert not spool.state().full
    spool.append([large(1000), large(1000)])
    assert (directory / "spool.sqlite").stat().st_size <= MIB
    assert [batch[0].sequence for batch in drained(spool)] == [*range(1, kept), 1000]


def test_every_batch_of_a_full_spool_can_be_unstorable(opened: Callable[[int], Spool]) -> None:
    spool = opened(MIB)
    kept = fill(spool, lambda number: [large(number * 10 + i, 1000) for i in range(10)])

    while batch := spool.oldest():
        spool.remove(batch.ids, unstorable=batch.records)

    assert spool.state().unstorable == kept * 10
    assert not spool.holds_any()


def test_a_batch_larger_than_the_spool_does_not_make_it_full_for_good(
    opened: Callable[[int], Spool],
) -> None:
    spool = opened(MIB)

    with pytest.raises(SpoolFull):
        spool.append([large(0, 4 * MIB)])

    assert spool.state().full is False
    spool.append([record(1)])
    assert drained(spool) == [(record(1),)]


def test_refused_records_are_kept_as_json(spool: Spool, directory: Path) -> None:
    spool.append([record(1), record(2)])
    batch = spool.oldest()
    assert batch

    spool.remove(batch.ids, unstorable=[record(2)])

    ((kept,),) = edit(directory, "SELECT record FROM unstorable")
    assert msgspec.json.decode(kept, type=LogRecord) == record(2)
    assert not spool.holds_any()


def test_a_drained_spool_gives_its_disk_back(spool: Spool, directory: Path) -> None:
    for number in range(40):
        spool.append([large(number, 500_000)])
    before = size(directory)

    drained(spool)

    assert before > 10 * MIB
    assert size(directory) < MIB // 4


def test_the_log_beside_the_file_stays_small(spool: Spool, directory: Path) -> None:
    spool.append([large(0, 30 * MIB)])
    spool.append([record(1)])
    spool.append([record(2)])

    assert (directory / "spool.sqlite-wal").stat().st_size <= MOST_LOG_BYTES


def test_threads_share_a_spool(spool: Spool) -> None:
    def append(start: int) -> None:
        for number in range(start, start + 20):
            spool.append([record(number)])

    threads = [threading.Thread(target=append, args=(start,)) for start in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    numbers = [batch[0].sequence or 0 for batch in drained(spool)]
    assert sorted(numbers) == [*range(20), *range(100, 120), *range(200, 220)]
    assert sorted(numbers, key=lambda number: number // 100) == sorted(numbers)


def test_one_at_a_time_may_drain(opened: Callable[[int], Spool]) -> None:
    ours, theirs = opened(MIB), opened(MIB)

    with ours.draining() as first, theirs.draining() as second:
        pass
    with theirs.draining() as third:
        pass

    assert (first, second, third) == (True, False, True)


def test_small_batches_are_taken_together_in_their_order(spool: Spool) -> None:
    for number in range(5):
        spool.append([record(number)])

    three = spool.oldest(least=3)

    assert three is not None
    assert list(three.records) == [record(0), record(1), record(2)]
    spool.remove(three.ids)
    assert drained(spool) == [(record(3),), (record(4),)]
