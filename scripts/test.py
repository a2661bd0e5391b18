"""Installs what the tests need and runs them: `python3 scripts/test.py [pytest arguments]`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import environment

environment.enter(environment.TEST)

import subprocess


def main() -> int:
    """Static checks first, when all tests are asked for; then pytest."""
    arguments = sys.argv[1:]
    if not arguments:
        check = subprocess.run(
            [sys.executable, str(environment.ROOT / "scripts" / "check.py")], check=False
        )
        if check.returncode:
            return check.returncode
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, check=False, cwd=environment.ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
