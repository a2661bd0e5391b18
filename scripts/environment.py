"""Makes `.venv` and fills it from a lock file. Standard library only: it runs before all else."""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
OLDEST_PYTHON = (3, 11)
RUN = "requirements.lock"
TEST = "requirements-test.lock"


def enter(lock: str) -> None:
    """Return when this runs in `.venv` with the lock's packages; else make it so and start again.

    `requirements-test.lock` holds all of `requirements.lock`, so either may find the other's.
    """
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(f"ProdSentinel needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not _is_filled(lock):
        _fill(python, lock)
    if Path(sys.prefix).resolve() != VENV.resolve():
        environment = {
            k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "VIRTUAL_ENV")
        }
        os.execve(python, [str(python), *sys.argv], environment)  # noqa: S606 - this same script
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))


def _stamp(lock: str) -> Path:
    return VENV / f".filled-from-{lock}"


def _fingerprint(lock: str) -> str:
    parts = [(ROOT / name).read_bytes() for name in (lock, "pyproject.toml")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _is_filled(lock: str) -> bool:
    candidates = {lock, TEST}
    return any(
        _stamp(name).is_file() and _stamp(name).read_text() == _fingerprint(name)
        for name in candidates
    )


def _fill(python: Path, lock: str) -> None:
    print(f"Installing {lock} into .venv (once) …", file=sys.stderr, flush=True)
    uv = shutil.which("uv")
    if not python.exists():
        venv.create(VENV, with_pip=uv is None, clear=True)
    for stamp in (_stamp(RUN), _stamp(TEST)):
        stamp.unlink(missing_ok=True)
    installer = (
        [uv, "pip", "install", "--quiet", "--python", str(python)]
        if uv
        # Quiet once leaves pip its warnings, such as the one about root.
        else [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    )
    environment = {**os.environ, "VIRTUAL_ENV": str(VENV)}
    for arguments in (
        ["--require-hashes", "--requirement", str(ROOT / lock)],
        ["--no-deps", "--editable", str(ROOT)],
    ):
        done = subprocess.run([*installer, *arguments], check=False, env=environment)
        if done.returncode:
            sys.exit(
                f"Installing {lock} failed (exit code {done.returncode}); the lines above say why"
            )
    _stamp(lock).write_text(_fingerprint(lock))
