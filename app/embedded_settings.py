"""What the embedded PostgreSQL is set to: a few large writes of log records, and none of them lost.

Ours stand in a file of their own that `postgresql.conf` includes at its top. Whatever a person
writes below that line, or with ALTER SYSTEM, comes later and therefore wins.
"""

import re
from pathlib import Path
from typing import Final

import msgspec
import psutil

MIB: Final = 2**20
GIB: Final = 2**30
INCLUDE: Final = "include_if_exists = 'prodsentinel.conf'"
_HEAD: Final = f"""\
{INCLUDE}
# ProdSentinel writes that file anew at each start. What stands below, or was set with ALTER SYSTEM,
# comes later and wins.

"""
# What initdb writes by itself would win over ours; no person chose it.
_OF_INITDB: Final = re.compile(
    r"^(?=(?:shared_buffers = 128MB|max_wal_size = 1GB|min_wal_size = 80MB)\s)", re.MULTILINE
)
_NO_LIMIT: Final = 2**60
"""cgroup v1 says "none" with a number about this large."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What the server may use; bytes."""

    memory: int
    disk_free: int
    lz4: bool = False


class Setting(msgspec.Struct, frozen=True):
    """A line of the file, and why it stands there."""

    name: str
    value: str
    reason: str


def durable_settings() -> tuple[Setting, ...]:
    """What makes an answer of 202 true, and needs no memory: also where the others are refused."""
    return (
        Setting("fsync", "on", "202 means on disk"),
        Setting("synchronous_commit", "on", "a commit is answered after its fsync"),
        Setting("full_page_writes", "on", "a page torn by a power cut is repaired from the WAL"),
    )


def fitting_settings(machine: Machine) -> tuple[Setting, ...]:
    """All of them, by the size of the machine; pure."""
    buffers = _bounded(machine.memory // 4, 16 * MIB, 2 * GIB)
    wal = _bounded(machine.disk_free // 10, 256 * MIB, 4 * GIB)
    upkeep = _bounded(machine.memory // 32, 16 * MIB, 256 * MIB)
    return (
        *durable_settings(),
        Setting("shared_buffers", _mb(buffers), "the day's index stays in memory: keys are random"),
        Setting(
            "effective_cache_size",
            _mb(max(machine.memory // 2, buffers)),
            "the planner may count on half of the memory as page cache",
        ),
        Setting("wal_buffers", _mb(_bounded(buffers // 32, MIB, 16 * MIB)), "a COPY fits in"),
        Setting("max_wal_size", _mb(wal), "rare checkpoints: after each, pages are logged whole"),
        Setting("min_wal_size", _mb(wal // 4), "WAL files are used again rather than made anew"),
        Setting("checkpoint_timeout", "15min", "the same, by time"),
        Setting("checkpoint_completion_target", "0.9", "a checkpoint writes evenly, not at once"),
        Setting(
            "wal_compression",
            "lz4" if machine.lz4 else "off",
            "lz4 where the build has it; pglz costs more processor time than it saves writing",
        ),
        Setting("maintenance_work_mem", _mb(upkeep), "indexes of closed partitions are built fast"),
        Setting(
            "autovacuum_work_mem",
            _mb(upkeep // 2),
            "three vacuums at a time take no more than that each",
        ),
        Setting(
            "autovacuum_vacuum_insert_threshold",
            "200000",
            "a young partition is not vacuumed every minute of its first hour",
        ),
        Setting(
            "autovacuum_vacuum_insert_scale_factor",
            "0.2",
            "later a fifth more rows: pages become all-visible, BRIN ranges are summarised",
        ),
        Setting("jit", "off", "reads are short; compiling takes longer than they do"),
    )


def as_file(settings: tuple[Setting, ...]) -> str:
    """The text of `prodsentinel.conf`."""
    lines = [f"{one.name} = {one.value}  # {one.reason}" for one in settings]
    return "\n".join(("# Written at each start; changes belong into postgresql.conf.", *lines, ""))


def with_include(conf: str) -> str:
    """`postgresql.conf` with ours included at its top; unchanged when it was so already."""
    if INCLUDE in conf:
        return conf
    return _HEAD + _OF_INITDB.sub("#", conf)


def memory_limit(root: Path = Path("/")) -> int:
    """Bytes that this process may use: of the machine, or less when its cgroup says so."""
    limits = [_number(path) for path in _limit_files(root)]
    return min([psutil.virtual_memory().total, *(n for n in limits if 0 < n < _NO_LIMIT)])


def _limit_files(root: Path) -> list[Path]:
    """Of this process's cgroup and of all above it, in version 2 and 1."""
    found = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        place = Path(path.lstrip("/"))
        above = (place, *place.parents)
        if number == "0":
            found += [root / "sys/fs/cgroup" / part / "memory.max" for part in above]
        elif controllers == "memory":
            top = root / "sys/fs/cgroup/memory"
            found += [top / part / "memory.limit_in_bytes" for part in above]
    return found


def _number(path: Path) -> int:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _bounded(value: int, least: int, most: int) -> int:
    return max(least, min(value, most))


def _mb(size: int) -> str:
    return f"{size // MIB}MB"
