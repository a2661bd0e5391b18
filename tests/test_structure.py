"""The shape of the code, held by reading it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parent.parent / "app"
ROOMS = (
    "receive", "normalise", "signatures", "store", "catalogue", "correlate", "incidents", "alerts",
    "query", "pages",
)  # fmt: skip
CLIENTS = ("ask", "canary")
"""Rooms that know the service by its HTTP address alone."""
GROUND = {
    "address",
    "database",
    "errors",
    "metrics",
    "preconditions",
    "revision",
    "settings",
    "shapes",
}
"""What stands below the rooms; it imports none of them."""

OPENS_NOTHING = """
import sys
opened = []
def watch(event, args):
    if event in ("socket.connect", "socket.bind", "subprocess.Popen", "sqlite3.connect"):
        opened.append(event)
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        opened.append(f"{event} {args[0]}")
sys.dont_write_bytecode = True
sys.addaudithook(watch)
import app.main
assert not opened, opened
"""


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    parts = (name.split(".") for name in imports_of(path))
    return {part[1] for part in parts if part[0] == "app" and len(part) > 1}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_before_it(room: str) -> None:
    allowed = {*ROOMS[: ROOMS.index(room) + 1], *GROUND}

    for path in (APP / room).rglob("*.py"):
        assert rooms_imported(path) <= allowed, path


@pytest.mark.parametrize("room", CLIENTS)
def test_a_client_imports_no_room_of_the_service(room: str) -> None:
    for path in (APP / room).rglob("*.py"):
        assert rooms_imported(path) <= {room, *GROUND}, path


def test_what_stands_below_the_rooms_imports_none_of_them() -> None:
    for name in GROUND:
        assert rooms_imported(APP / f"{name}.py") <= GROUND


def test_every_room_is_in_the_list() -> None:
    assert {path.parent.name for path in APP.glob("*/__init__.py")} == {*ROOMS, *CLIENTS}


def test_fake_services_know_nothing_of_the_app() -> None:
    for path in (APP.parent / "fake_services").rglob("*.py"):
        assert not rooms_imported(path), path


def test_importing_the_app_opens_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPENS_NOTHING],
        check=False, capture_output=True, text=True, cwd=APP.parent,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
