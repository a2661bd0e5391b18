"""Everything that can be said of the code without running its tests. Exit code 0 or 1.

ruff (format and lint), mypy (strict), and drift between the models and the migrations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import environment

environment.enter(environment.TEST)

import subprocess
import tempfile

import click

DRIFT = """
import sys, pathlib
from app.embedded import EmbeddedServer
from app.migrate import check_drift, migrate
server = EmbeddedServer(pathlib.Path(sys.argv[1]))
try:
    migrate(server.url)
    check_drift(server.url)
finally:
    server.stop()
"""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run every static check; say what failed."""
    python = sys.executable
    with tempfile.TemporaryDirectory(prefix="prodsentinel-") as data:
        checks = {
            "format": [python, "-m", "ruff", "format", "--check", "."],
            "lint": [python, "-m", "ruff", "check", "."],
            "types": [python, "-m", "mypy"],
            "models and migrations": [python, "-W", "error", "-c", DRIFT, data],
        }
        failed = [name for name, command in checks.items() if not _holds(name, command)]
    if failed:
        print(f"check: failed: {', '.join(failed)}")
    sys.exit(1 if failed else 0)


def _holds(name: str, command: list[str]) -> bool:
    done = subprocess.run(
        command, check=False, cwd=environment.ROOT, capture_output=True, text=True
    )
    print(f"{'ok' if done.returncode == 0 else 'FAILED':<7} {name}")
    if done.returncode:
        print(done.stdout + done.stderr)
    return done.returncode == 0


if __name__ == "__main__":
    main()
