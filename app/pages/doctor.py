"""The service's own state, line by line: what is so, whether that is well, what to do. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from app.catalogue.model import Problem
from app.pages.wording import ago, exact, percent, size, span
from app.query.state_queries import Stored
from app.receive.contract import Health
from app.settings import Settings

CLOCK_APART: Final = timedelta(seconds=2)
COUNTING_LATE: Final = timedelta(minutes=1)
ALERT_LATE: Final = timedelta(minutes=5)
BACKLOG: Final = 1_000
DISK_WARNING: Final = 0.1
DISK_PROBLEM: Final = 0.03
CONNECTIONS_WARNING: Final = 0.8
_NAMED: Final = 3


class Mark(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the doctor."""

    name: str
    mark: Mark
    told: str
    todo: str = ""
    """Empty when nothing is to be done."""


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """Of the data directory, in bytes."""

    free: int
    total: int


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the findings are made from."""

    settings: Settings
    health: Health
    stored: Stored | None
    """None: the database could not be asked."""
    disk: Disk | None
    catalogue_problems: tuple[Problem, ...]
    expected_revision: str
    now: datetime


def findings_of(seen: Seen) -> tuple[Finding, ...]:
    """In the order in which one depends on the other."""
    return tuple(_findings(seen))


def _findings(seen: Seen) -> Iterator[Finding]:
    yield _database(seen)
    if seen.stored:
        yield _migrations(seen, seen.stored)
        yield _connections(seen.stored)
        yield _clock(seen, seen.stored)
    yield _spool(seen)
    yield _digest(seen)
    if seen.stored:
        yield _counting(seen, seen.stored)
        yield _partitions(seen, seen.stored)
        yield _outside(seen.stored)
    if seen.disk:
        yield _disk(seen.disk)
    yield _catalogue(seen)
    if seen.stored:
        yield _alerts(seen, seen.stored)


def _database(seen: Seen) -> Finding:
    if seen.stored is None:
        todo = (
            "Run `prodsentinel migrate`."
            if seen.health.database == "not migrated"
            else "Look at PostgreSQL and at DATABASE_URL. Records are spooled meanwhile."
        )
        return _finding("Database", Mark.PROBLEM, seen.health.database, todo)
    told = f"PostgreSQL {seen.stored.server.server}, {size(seen.stored.server.bytes)}"
    return _finding("Database", Mark.OK, told)


def _migrations(seen: Seen, stored: Stored) -> Finding:
    found = stored.server.revision
    if found == seen.expected_revision:
        return _finding("Migrations", Mark.OK, f"at {found}, the newest")
    told = f"at {found}; this version of the service expects {seen.expected_revision}"
    return _finding("Migrations", Mark.PROBLEM, told, "Run `prodsentinel migrate`.")


def _connections(stored: Stored) -> Finding:
    server = stored.server
    told = f"{server.connections} of {server.max_connections} taken"
    if server.connections < server.max_connections * CONNECTIONS_WARNING:
        return _finding("Connections", Mark.OK, told)
    todo = "Lower PRODSENTINEL_POOL_SIZE, or raise max_connections of PostgreSQL."
    return _finding("Connections", Mark.WARNING, told, todo)


def _clock(seen: Seen, stored: Stored) -> Finding:
    apart = abs(seen.now - stored.server.clock)
    if apart <= CLOCK_APART:
        return _finding("Clock", Mark.OK, "agrees with the database's")
    told = f"{span(apart)} apart from the database's"
    return _finding("Clock", Mark.WARNING, told, "Let both machines follow the same time server.")


def _spool(seen: Seen) -> Finding:
    health = seen.health
    told = {
        "off": "off: without the database, records are refused",
        "empty": "empty",
        "filled": f"{exact(health.spooled_records)} records wait for the database",
        "full": f"full, with {exact(health.spooled_records)} records",
        "broken": "cannot be read or written",
    }[health.spool]
    if health.spool in {"full", "broken"}:
        todo = "Free or repair the disk under PRODSENTINEL_DATA_DIR, or raise "
        return _finding("Spool", Mark.PROBLEM, told, f"{todo}PRODSENTINEL_SPOOL_MAX_BYTES.")
    if health.set_aside_records:
        told += f"; {exact(health.set_aside_records)} records are set aside"
        return _finding(
            "Spool",
            Mark.WARNING,
            told,
            "Look at them with `prodsentinel spool`; nothing else will.",
        )
    is_ok = health.spool == "empty"
    return _finding("Spool", Mark.OK if is_ok else Mark.WARNING, told)


def _digest(seen: Seen) -> Finding:
    waiting = seen.health.chains_waiting
    if seen.health.digest == "stalled":
        todo = "Look for `digest_failed` in the log of the service."
        return _finding("Digest", Mark.PROBLEM, "stalled: incidents are late", todo)
    if waiting is None:
        return _finding("Digest", Mark.WARNING, "waits for the database")
    told = "nothing waits" if not waiting else f"{exact(waiting)} chains wait"
    if waiting < BACKLOG:
        return _finding("Digest", Mark.OK, told)
    todo = "It works them off by itself; another replica makes it faster."
    return _finding("Digest", Mark.WARNING, told, todo)


def _counting(seen: Seen, stored: Stored) -> Finding:
    until = stored.server.counted_until
    if until is None:
        return _finding("Counting", Mark.WARNING, "has not begun")
    told = f"services counted up to {ago(until, seen.now)}"
    if seen.now - until <= COUNTING_LATE:
        return _finding("Counting", Mark.OK, told)
    todo = "Look for `counting_failed` in the log of the service."
    return _finding("Counting", Mark.WARNING, told, todo)


def _partitions(seen: Seen, stored: Stored) -> Finding:
    days = [one.day for one in stored.days if one.day]
    total = sum(one.bytes for one in stored.days)
    today = seen.now.astimezone(UTC).date()
    told = f"{len(days)} days, {size(total)}"
    ahead = sum(day > today for day in days)
    if today not in days:
        todo = "Run `prodsentinel maintain`; records go to the default partition until then."
        return _finding("Partitions", Mark.PROBLEM, f"{told}; none for today", todo)
    cap = seen.settings.retention_bytes
    daily = sum(one.bytes for one in stored.days if one.day)
    if 0 < cap < daily:
        todo = "Today alone may be larger; raise PRODSENTINEL_RETENTION_BYTES or send less."
        return _finding("Partitions", Mark.WARNING, f"{told}, over the cap of {size(cap)}", todo)
    if not ahead:
        todo = "Run `prodsentinel maintain`, and look for `upkeep_failed` in the log."
        return _finding("Partitions", Mark.WARNING, f"{told}; none for tomorrow", todo)
    return _finding("Partitions", Mark.OK, f"{told}; {ahead} made ahead")


def _outside(stored: Stored) -> Finding:
    if not stored.default_records:
        return _finding("Far clocks", Mark.OK, "no record outside of every day")
    told = f"{exact(stored.default_records)} records outside of every day"
    todo = (
        "A sender's clock is far off: `clock` in the annotations of its records says by how much."
    )
    return _finding("Far clocks", Mark.WARNING, told, todo)


def _disk(disk: Disk) -> Finding:
    share = disk.free / disk.total if disk.total else 0.0
    told = f"{size(disk.free)} free of {size(disk.total)} ({percent(share)})"
    if share >= DISK_WARNING:
        return _finding("Disk", Mark.OK, told)
    mark = Mark.WARNING if share >= DISK_PROBLEM else Mark.PROBLEM
    todo = "Free space under PRODSENTINEL_DATA_DIR, or lower PRODSENTINEL_RETENTION_DAYS."
    return _finding("Disk", mark, told, todo)


def _catalogue(seen: Seen) -> Finding:
    entries = seen.health.known_issues
    told = f"{exact(entries)} entries"
    if not entries:
        return _finding("Catalogue", Mark.WARNING, "no entry yet: it is read after the start")
    found = seen.catalogue_problems
    if not found:
        return _finding("Catalogue", Mark.OK, f"{told}, all that the documents hold")
    named = "; ".join(f"{one.document}:{one.line}: {one.reason}" for one in found[:_NAMED])
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    told = f"{told}; {len(found)} could not be used"
    return _finding("Catalogue", Mark.WARNING, told, f"Mend {named}{more}.")


def _alerts(seen: Seen, stored: Stored) -> Finding:
    alerts = stored.alerts
    if not alerts.targets:
        return _finding("Alerts", Mark.WARNING, "go nowhere", "Add a target below.")
    many = "s" * (alerts.targets != 1)
    told = f"{alerts.targets} target{many}; {alerts.waiting} waiting, {alerts.dead} given up"
    oldest = alerts.oldest_waiting
    if alerts.dead or alerts.disabled:
        return _finding("Alerts", Mark.WARNING, told, "Test the target, then retry what failed.")
    if oldest and seen.now - oldest > ALERT_LATE:
        told += f", the oldest since {ago(oldest, seen.now)}"
        return _finding(
            "Alerts", Mark.WARNING, told, "It may be quiet hours; else test the target."
        )
    return _finding("Alerts", Mark.OK, told)


def _finding(name: str, mark: Mark, told: str, todo: str = "") -> Finding:
    return Finding(name=name, mark=mark, told=told, todo=todo)
