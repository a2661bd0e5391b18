import asyncio
import re
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database import asyncpg_dsn
from app.embedded import EmbeddedServer
from app.embedded_settings import (
    GIB,
    INCLUDE,
    MIB,
    Machine,
    as_file,
    durable_settings,
    fitting_settings,
    memory_limit,
    with_include,
)

OF_INITDB = (
    "max_connections = 100\t\t# (change requires restart)\nshared_buffers = 128MB\t\t# min\n"
)
UNDER_A_LIMIT = """
import resource, sys
from pathlib import Path
from app.embedded import EmbeddedServer
resource.setrlimit(resource.RLIMIT_AS, (600 * 2**20, 600 * 2**20))
EmbeddedServer(Path(sys.argv[1])).stop()
"""


def values(machine: Machine) -> dict[str, str]:
    return {one.name: one.value for one in fitting_settings(machine)}


def megabytes(value: str) -> int:
    return int(value.removesuffix("MB"))


async def shown(url: str, *names: str) -> list[str]:
    connection = await asyncpg.connect(asyncpg_dsn(url))
    try:
        return [await connection.fetchval(f"SHOW {name}") for name in names]
    finally:
        await connection.close()


def test_the_running_server_shows_what_was_chosen_for_this_machine(server: EmbeddedServer) -> None:
    (buffers, wal, *durable) = asyncio.run(
        shown(
            server.url,
            *("shared_buffers", "max_wal_size"),
            *("fsync", "synchronous_commit", "full_page_writes"),
        )
    )

    assert buffers != "128MB"
    assert wal != "1GB"
    assert durable == ["on", "on", "on"]


def test_a_second_start_keeps_them_and_what_a_person_wrote_wins(tmp_path: Path) -> None:
    EmbeddedServer(tmp_path).stop()
    with (tmp_path / "postgres" / "postgresql.conf").open("a") as conf:
        conf.write("checkpoint_timeout = 7min\n")

    again = EmbeddedServer(tmp_path)
    try:
        found = asyncio.run(shown(again.url, "checkpoint_timeout", "jit", "max_wal_size"))
    finally:
        again.stop()

    assert found[:2] == ["7min", "off"]
    assert found[2] != "1GB"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of address space that holds")
def test_a_machine_that_grants_less_memory_starts_all_the_same(tmp_path: Path) -> None:
    if megabytes(values(Machine(memory=memory_limit(), disk_free=GIB))["shared_buffers"]) < 700:
        pytest.skip("on a machine this small nothing is refused")

    done = subprocess.run(
        [sys.executable, "-c", UNDER_A_LIMIT, str(tmp_path)],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "embedded_settings_refused" in done.stdout
    written = (tmp_path / "postgres" / "prodsentinel.conf").read_text()
    assert "fsync = on" in written
    assert "shared_buffers" not in written


@given(st.integers(0, 2**45), st.integers(0, 2**50))
def test_every_machine_gets_settings_within_their_bounds(memory: int, disk: int) -> None:
    found = values(Machine(memory=memory, disk_free=disk))

    assert 16 <= megabytes(found["shared_buffers"]) <= 2048
    assert megabytes(found["shared_buffers"]) <= max(16, memory // MIB // 4)
    assert 256 <= megabytes(found["max_wal_size"]) <= 4096
    assert megabytes(found["min_wal_size"]) < megabytes(found["max_wal_size"])
    assert 1 <= megabytes(found["wal_buffers"]) <= 16
    assert megabytes(found["effective_cache_size"]) >= megabytes(found["shared_buffers"])
    assert megabytes(found["autovacuum_work_mem"]) >= 8
    assert [found[name] for name in ("fsync", "synchronous_commit", "full_page_writes")] == [
        "on"
    ] * 3


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_more_memory_never_means_smaller_settings(memory: int, more: int) -> None:
    small = values(Machine(memory=memory, disk_free=GIB))
    large = values(Machine(memory=memory + more, disk_free=GIB))

    for name in ("shared_buffers", "effective_cache_size", "maintenance_work_mem", "wal_buffers"):
        assert megabytes(small[name]) <= megabytes(large[name])


def test_a_machine_of_512_mb_gives_the_server_a_quarter_and_wal_by_its_disk() -> None:
    found = values(Machine(memory=512 * MIB, disk_free=5 * GIB))

    assert found["shared_buffers"] == "128MB"
    assert found["max_wal_size"] == "512MB"
    assert found["maintenance_work_mem"] == "16MB"


@pytest.mark.parametrize(("lz4", "value"), [(True, "lz4"), (False, "off")])
def test_wal_is_compressed_only_where_it_is_cheap(lz4: bool, value: str) -> None:
    assert values(Machine(memory=GIB, disk_free=GIB, lz4=lz4))["wal_compression"] == value


def test_each_line_of_the_file_says_why() -> None:
    lines = as_file(fitting_settings(Machine(memory=GIB, disk_free=GIB))).splitlines()

    assert all(re.fullmatch(r"[a-z_]+ = [\w.]+  # .{10,}", line) for line in lines[1:])
    assert as_file(durable_settings()).count("= on") == 3


def test_what_initdb_wrote_by_itself_no_longer_counts_and_what_a_person_wrote_does() -> None:
    ours = with_include(OF_INITDB)

    assert ours.startswith(INCLUDE)
    assert "\n#shared_buffers = 128MB" in ours
    assert "\nmax_connections = 100" in ours
    assert "\nshared_buffers = 6GB" in with_include("shared_buffers = 6GB\n")


@given(st.text())
def test_the_configuration_is_changed_once_and_keeps_its_lines(conf: str) -> None:
    once = with_include(conf)

    assert with_include(once) == once
    assert once.endswith(conf) or "128MB" in conf or "80MB" in conf or "1GB" in conf


def test_the_memory_limit_is_the_smallest_of_the_cgroup_and_all_above_it(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "0::/system.slice/one.service\n")
    write(tmp_path / "sys/fs/cgroup/system.slice/memory.max", f"{64 * MIB}\n")
    write(tmp_path / "sys/fs/cgroup/system.slice/one.service/memory.max", "max\n")

    assert memory_limit(tmp_path) == 64 * MIB


def test_the_memory_limit_of_the_older_cgroups_counts_too(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "4:cpu,cpuacct:/\n3:memory:/box\n")
    write(tmp_path / "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    write(tmp_path / "sys/fs/cgroup/memory/box/memory.limit_in_bytes", f"{96 * MIB}\n")

    assert memory_limit(tmp_path) == 96 * MIB


def test_without_cgroups_the_memory_of_the_machine_counts(tmp_path: Path) -> None:
    assert memory_limit(tmp_path) > 64 * MIB


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
