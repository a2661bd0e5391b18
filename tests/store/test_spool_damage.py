"""A spool whose file, or a batch in it, is not what it was."""

import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from app.normalise.record import Frame, LogRecord, ReportedException
from app.store.spool import Spool, SpoolBroken
from tests.store.spooled import MIB, drained, edit, large, record

DAMAGE_SECOND = """
    UPDATE batches SET
        format = coalesce(?, format),
        payload = coalesce(?, payload),
        checksum = coalesce(?, checksum)
    WHERE id = (SELECT min(id) + 1 FROM batches)
"""


@pytest.mark.parametrize(
    "damage", [(99, None, None), (None, b"cut", None), (None, b"cut", zlib.crc32(b"cut"))]
)
def test_a_batch_that_cannot_be_read_is_set_aside_and_the_rest_drains(
    spool: Spool, directory: Path, damage: tuple[object, ...]
) -> None:
    for number in range(3):
        spool.append([record(number), record(number)])
    edit(directory, DAMAGE_SECOND, *damage)

    assert [batch[0].sequence for batch in drained(spool)] == [0, 2]
    state = spool.state()
    assert (state.batches, state.records, state.unreadable) == (0, 0, 2)
    assert len(edit(directory, "SELECT payload FROM unreadable")) == 1


def test_another_version_takes_back_what_this_one_could_not_read(
    spool: Spool, directory: Path
) -> None:
    for number in range(2):
        spool.append([record(number)])
    edit(directory, "UPDATE batches SET format = 99 WHERE id = (SELECT min(id) FROM batches)")
    first = spool.oldest()
    spool.close()
    edit(directory, "UPDATE unreadable SET format = 1")

    assert first
    assert first.records == (record(1),)
    assert drained(spool) == [(record(0),), (record(1),)]
    assert spool.state().unreadable == 0


def test_what_format_1_holds_is_fixed() -> None:
    """Another set of fields is another format: raise `FORMAT`, and read the old one too."""
    assert LogRecord.__struct_fields__ == (
        "correlation_id", "occurred_at", "record_id", "received_at", "service", "level", "message",
        "environment", "release", "instance", "span_id", "parent_span_id", "sequence", "exception",
        "attributes", "fingerprint", "annotations", "resent_by_identity",
    )  # fmt: skip
    assert ReportedException.__struct_fields__ == ("type", "message", "stacktrace")
    assert Frame.__struct_fields__ == ("function", "module", "line", "source")


def test_a_file_that_is_no_database_is_kept_and_a_new_one_begun(
    spool: Spool, directory: Path
) -> None:
    directory.mkdir(parents=True)
    (directory / "spool.sqlite").write_bytes(b"no database" * 1000)

    spool.append([record(1)])

    (kept,) = directory.glob("spool.sqlite.broken-*")
    assert kept.read_bytes() == b"no database" * 1000
    assert drained(spool) == [(record(1),)]


def test_a_file_damaged_under_two_that_use_it_is_left_by_both(
    opened: Callable[[int], Spool], directory: Path
) -> None:
    ours, theirs = opened(64 * MIB), opened(64 * MIB)
    ours.append([large(0)])
    edit(directory, "PRAGMA wal_checkpoint(TRUNCATE)")
    # From outside: a process that closes a file loses all its locks on it (POSIX).
    damage = "import sys; f = open(sys.argv[1], 'r+b'); f.seek(4096); f.write(b'?' * 90000)"
    subprocess.run([sys.executable, "-c", damage, directory / "spool.sqlite"], check=True)

    theirs.append([record(1)])
    ours.append([record(2)])
    theirs.append([record(3)])
    ours.close()

    assert len([*directory.glob("spool.sqlite.broken-*[0-9]")]) == 1
    assert drained(theirs) == [(record(1),), (record(2),), (record(3),)]


def test_a_log_left_without_its_file_is_not_replayed(spool: Spool, directory: Path) -> None:
    spool.append([record(1)])
    left = (directory / "spool.sqlite-wal").read_bytes()
    spool.close()
    (directory / "spool.sqlite").unlink()
    (directory / "spool.sqlite-wal").write_bytes(left)

    spool.append([record(2)])

    assert drained(spool) == [(record(2),)]
    assert [path.read_bytes() for path in directory.glob("*broken-*-wal")] == [left]


def test_a_place_that_cannot_be_written_is_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    spool = Spool(tmp_path / "file" / "spool", max_bytes=MIB)

    with pytest.raises(SpoolBroken):
        spool.append([record()])
    with pytest.raises(SpoolBroken), spool.draining():
        pass
