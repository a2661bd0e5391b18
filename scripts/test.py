"""Installs what the tests need and runs them: `python3 scripts/test.py [pytest arguments]`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import assets, environment

environment.enter(environment.TEST)

import os
import shutil
import subprocess

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL_SECONDS = 600
# Many tests wait for processes; those of a file share what they start.
IN_TWO_PROCESSES = ("--numprocesses=2", "--dist=loadfile")


def main() -> int:
    """Static checks first, when all tests are asked for; then pytest."""
    arguments = sys.argv[1:]
    built = assets.try_to_build(with_tests=True)
    seen = _has_browser() or _install_browser()
    if not arguments:
        check = subprocess.run(
            [sys.executable, str(environment.ROOT / "scripts" / "check.py")], check=False
        )
        if check.returncode:
            return check.returncode
    command = [sys.executable, "-m", "pytest", *(arguments or IN_TWO_PROCESSES)]
    code = subprocess.run(command, check=False, cwd=environment.ROOT).returncode
    if not seen:
        print("\nNOT TESTED: without Chromium no page was opened in a browser (tests/browser)")
    if not built:
        print("\nNOT TESTED: without npm the pages had no scripts, and axe did not look at them")
    return code


def _has_browser() -> bool:
    return any(shutil.which(name) for name in BROWSERS)


def _install_browser() -> bool:
    """From the system's packages, where that is allowed without a question: as root on Debian."""
    apt = shutil.which("apt-get")
    if apt is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    print("Installing Chromium for tests/browser (once) …", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        try:
            done = subprocess.run(
                [apt, "-qq", *command], check=False, env=quiet, timeout=INSTALL_SECONDS,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return False
        if done.returncode:
            return False
    return _has_browser()


if __name__ == "__main__":
    sys.exit(main())
