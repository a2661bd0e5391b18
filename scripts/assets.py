"""Makes `app/pages/built` from npm: `python3 scripts/assets.py`. Standard library only.

The pages read without it; with it they have charts, live updates and their own typeface.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "app" / "pages"
BUILT = PAGES / "built"
OF_TESTS = ROOT / "tests" / "browser" / "built"
NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
NPM_SECONDS = 180
SERVED = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/dist/ext/hx-sse.min.js": "hx-sse.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE",
    "uplot/dist/uPlot.iife.min.js": "uplot.min.js",
    "uplot/dist/uPlot.min.css": "uplot.min.css",
    "uplot/LICENSE": "uplot.LICENSE",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "inter.woff2",
    "@fontsource-variable/inter/LICENSE": "inter.LICENSE",
    "@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2": (
        "jetbrains-mono.woff2"
    ),
    "@fontsource-variable/jetbrains-mono/LICENSE": "jetbrains-mono.LICENSE",
}
TESTED_WITH = {"axe-core/axe.min.js": "axe.min.js", "axe-core/LICENSE": "axe.LICENSE"}


class NotBuilt(Exception):
    """The scripts of the pages could not be made; the message says why."""


def build_once(*, with_tests: bool = False) -> None:
    """When they are missing or of another lock. Raises `NotBuilt`."""
    wanted = {BUILT: SERVED} | ({OF_TESTS: TESTED_WITH} if with_tests else {})
    missing = {folder: files for folder, files in wanted.items() if not _is_made(folder)}
    if not missing:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise NotBuilt("npm was not found")
    print("Making the scripts of the pages from npm (once) …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="prodsentinel-npm-") as directory:
        _install(npm, Path(directory), with_tests=with_tests)
        for folder, files in missing.items():
            _copy(Path(directory) / "node_modules", folder, files)


def try_to_build(*, with_tests: bool = False) -> bool:
    """The same, for those who go on without."""
    try:
        build_once(with_tests=with_tests)
    except NotBuilt as error:
        print(
            f"The pages stay without scripts: {error}. `python3 scripts/assets.py` tries again.",
            file=sys.stderr,
        )
        return False
    return True


def _fingerprint() -> str:
    names = [PAGES / name for name in NPM_FILES] + [Path(__file__)]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in names)).hexdigest()


def _is_made(folder: Path) -> bool:
    stamp = folder / ".made-from"
    return stamp.is_file() and stamp.read_text() == _fingerprint()


def _install(npm: str, directory: Path, *, with_tests: bool) -> None:
    for name in NPM_FILES:
        shutil.copy(PAGES / name, directory / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if not with_tests:
        command.append("--omit=dev")
    try:
        done = subprocess.run(
            command, check=False, cwd=directory, capture_output=True, text=True,
            timeout=NPM_SECONDS, stdin=subprocess.DEVNULL, env={**os.environ, "CI": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NotBuilt(f"npm took longer than {NPM_SECONDS} s") from error
    if done.returncode:
        raise NotBuilt(f"npm ended with {done.returncode}: {done.stderr.strip()[-600:]}")


def _copy(modules: Path, folder: Path, files: dict[str, str]) -> None:
    """All of them or, when it is interrupted, none that count."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source, name in files.items():
        shutil.copy(modules / source, folder / name)
    (folder / ".made-from").write_text(_fingerprint())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", action="store_true", help="also what the tests look with")
    arguments = parser.parse_args()
    try:
        build_once(with_tests=arguments.tests)
    except NotBuilt as error:
        sys.exit(f"assets: {error}")
    print(f"The scripts of the pages are in {BUILT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
