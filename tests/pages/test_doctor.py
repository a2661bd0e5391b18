"""The service's own state, line by line."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from app.catalogue.model import Problem
from app.pages.doctor import Disk, Finding, Mark, Seen, findings_of
from app.query.state_queries import AlertState, DayState, ServerState, Stored
from app.receive.contract import Health
from app.settings import Settings

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GIB = 2**30
WELL = Seen(
    settings=Settings(),
    health=Health(
        status="ok", database="ok", spool="empty", spooled_records=0, set_aside_records=0,
        digest="ok", chains_waiting=0, known_issues=33,
    ),
    stored=Stored(
        server=ServerState(
            server="18.4", revision="0006", clock=NOW, bytes=GIB, connections=8,
            max_connections=100, counted_until=NOW,
        ),
        days=tuple(
            DayState(name=name, bytes=1_000, records=10)
            for name in ("log_records_20261121", "log_records_20261120", "log_records_default")
        ),
        default_records=0,
        alerts=AlertState(waiting=0, dead=0, oldest_waiting=None, targets=1, disabled=0),
    ),
    disk=Disk(free=50 * GIB, total=100 * GIB),
    catalogue_problems=(),
    expected_revision="0006",
    now=NOW,
)  # fmt: skip


def seen(**changes: Any) -> Seen:
    """All is well but for these; names of fields with `__` between."""
    found = WELL
    for name, value in changes.items():
        found = _changed(found, name.split("__"), value)
    return found


def _changed(shape: Any, path: list[str], value: Any) -> Any:
    first, *rest = path
    inner = _changed(getattr(shape, first), rest, value) if rest else value
    return msgspec.structs.replace(shape, **{first: inner})


def finding(name: str, found: Seen) -> Finding:
    return next(one for one in findings_of(found) if one.name == name)


def test_of_a_healthy_service_every_line_is_well_and_asks_for_nothing() -> None:
    findings = findings_of(WELL)

    assert {one.mark for one in findings} == {Mark.OK}
    assert {one.todo for one in findings} == {""}
    assert len(findings) == 12


@pytest.mark.parametrize(
    ("name", "mark", "changes"),
    [
        ("Migrations", Mark.PROBLEM, {"expected_revision": "0007"}),
        ("Connections", Mark.WARNING, {"stored__server__connections": 80}),
        ("Clock", Mark.WARNING, {"stored__server__clock": NOW + timedelta(seconds=3)}),
        ("Spool", Mark.WARNING, {"health__spool": "filled", "health__spooled_records": 5}),
        ("Spool", Mark.WARNING, {"health__set_aside_records": 1}),
        ("Spool", Mark.PROBLEM, {"health__spool": "full"}),
        ("Spool", Mark.PROBLEM, {"health__spool": "broken"}),
        ("Spool", Mark.WARNING, {"health__spool": "off"}),
        ("Digest", Mark.PROBLEM, {"health__digest": "stalled"}),
        ("Digest", Mark.WARNING, {"health__chains_waiting": 5_000}),
        ("Digest", Mark.WARNING, {"health__chains_waiting": None}),
        ("Counting", Mark.WARNING, {"stored__server__counted_until": None}),
        ("Counting", Mark.WARNING, {"stored__server__counted_until": NOW - timedelta(minutes=2)}),
        ("Partitions", Mark.PROBLEM, {"stored__days": WELL.stored.days[:1]}),  # type: ignore[union-attr]
        ("Partitions", Mark.WARNING, {"stored__days": WELL.stored.days[1:]}),  # type: ignore[union-attr]
        ("Partitions", Mark.WARNING, {"settings__retention_bytes": 1_500}),
        ("Far clocks", Mark.WARNING, {"stored__default_records": 1}),
        ("Disk", Mark.WARNING, {"disk": Disk(free=9 * GIB, total=100 * GIB)}),
        ("Disk", Mark.PROBLEM, {"disk": Disk(free=GIB, total=100 * GIB)}),
        ("Catalogue", Mark.WARNING, {"health__known_issues": 0}),
        ("Alerts", Mark.WARNING, {"stored__alerts__targets": 0}),
        ("Alerts", Mark.WARNING, {"stored__alerts__dead": 1}),
        ("Alerts", Mark.WARNING, {"stored__alerts__disabled": 1}),
        ("Alerts", Mark.WARNING, {"stored__alerts__oldest_waiting": NOW - timedelta(hours=1)}),
    ],
)
def test_what_is_not_well_is_marked_and_alone(
    name: str, mark: Mark, changes: dict[str, Any]
) -> None:
    findings = findings_of(seen(**changes))

    assert [(one.name, one.mark) for one in findings if one.mark is not Mark.OK] == [(name, mark)]


def test_without_a_database_the_rest_is_told_all_the_same() -> None:
    findings = findings_of(
        seen(stored=None, health__database="unreachable", health__chains_waiting=None)
    )

    assert [one.name for one in findings] == ["Database", "Spool", "Digest", "Disk", "Catalogue"]
    assert findings[0].mark is Mark.PROBLEM


def test_a_database_that_is_not_migrated_names_the_command() -> None:
    assert (
        "prodsentinel migrate"
        in finding("Database", seen(stored=None, health__database="not migrated")).todo
    )


def test_broken_entries_are_named_by_file_and_line() -> None:
    problems = tuple(
        Problem(document="guide.md", line=n, reason="the rule is empty") for n in range(1, 6)
    )

    found = finding("Catalogue", seen(catalogue_problems=problems))

    assert found.told == "33 entries; 5 could not be used"
    assert "guide.md:1: the rule is empty" in found.todo
    assert "and 2 more" in found.todo
