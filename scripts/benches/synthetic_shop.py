"""A shop that fails on purpose: calls, clocks, retries, lost records, and where the fault was put.

Nothing here knows how chains are correlated. Services call each other along a random tree; one
call is made to fail; each caller reacts in its own style; each record is stamped by its service's
own clock; a share of the records is lost on the way.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from app.correlate.chain import Link
from app.normalise.record import ReportedException, Severity
from app.signatures import sign_text

START: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
NAMES: Final = (
    "gateway", "payment", "inventory", "cart", "user", "auth-service", "pricing", "shipping",
    "order-api", "search", "tax", "ledger", "catalog", "mailer", "loyalty", "fraud-check",
    "sessions", "stock_keeper", "billing", "profile",
)  # fmt: skip
OWN_FAULTS: Final = (
    ("KeyError", "'sku-{n}'"),
    ("TypeError", "Object of type UUID is not JSON serializable"),
    ("ZeroDivisionError", "division by zero"),
    ("ValueError", "could not convert string to float: 'n/a'"),
    ("shop.errors.OutOfStock", "article {n} is sold out"),
    ("shop.errors.CardDeclined", "card ending in {n} was declined"),
    ("asyncpg.exceptions.UndefinedTableError", 'relation "orders" does not exist'),
    ("ConnectionRefusedError", "[Errno 111] Connect call failed ('10.0.0.{d}', 5432)"),
    ("redis.exceptions.ConnectionError", "Error 111 connecting to redis:6379. Connection refused."),
    ("", "no VAT rate for country XK"),
    ("", "cannot write receipt {n}: disk full"),
)
STYLES: Final = ("spans", "fields", "texts")
MIX: Final = (60, 20, 20)


class Fault(msgspec.Struct, frozen=True):
    """What the caller of a failing call gets to see."""

    status: int
    text: str
    type: str
    timeout: bool = False
    reset: bool = False


class Stage(msgspec.Struct, eq=False):
    """One service at one place of the call tree."""

    service: str
    instance: str
    groups: list[list["Stage"]] = []
    """Called one group after the other; the calls of a group run in parallel."""
    fault: str = ""
    """`own`, `unlogged`, `hang`, `crash`: what is wrong with it; empty when nothing is."""
    handled: bool = False
    """Its caller lives without its answer."""
    transient: bool = False
    """It fails at the first attempt only."""
    said: tuple[str, str] = ("", "")


class Simulated(msgspec.Struct, frozen=True):
    """What arrived of a chain, and the truth."""

    style: str
    numbered: bool
    links: list[Link]
    missing: dict[tuple[str, str], list[tuple[int, int]]]
    complete: bool
    faults: int
    """With those that were handled."""
    root_services: tuple[str, ...]
    root_records: tuple[UUID | None, ...]
    """For each injected fault its first own error record that arrived, if any did."""
    first_record_lost: tuple[bool, ...]


class _Habits(msgspec.Struct, frozen=True):
    """How the team of a service writes."""

    wraps: str
    """`raise-from`, `quote`, `plain`, `url`, `vague`, `silent`."""
    starts: bool
    ends: bool
    calls: bool
    retries: int
    twice: bool
    """Its own faults are logged where they happen and again by the framework."""


class Shop:
    """One request through one random shop."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        pick = self.chance
        self.style = pick.choices(STYLES, MIX)[0]
        self.numbered = pick.random() < 0.7  # noqa: PLR2004
        self.names = pick.sample(NAMES, pick.randint(2, 12))
        skewed = pick.random() < 0.5  # noqa: PLR2004
        far = 5.0 if skewed else 0.005
        self.clocks = {name: pick.uniform(-far, far) for name in self.names}
        self.habits = {name: self._habits() for name in self.names}
        self.records: list[dict[str, Any]] = []
        self.truth: dict[int, list[UUID]] = {}
        self.faulty: list[Stage] = []
        self.handled = 0
        self.top = self._tree()
        self._inject()
        self._call(self.top, 0.0, None, None, 1)

    def _habits(self) -> _Habits:
        pick = self.chance
        talkative = pick.random()
        return _Habits(
            wraps=pick.choices(
                ("raise-from", "quote", "plain", "url", "vague", "silent"), (20, 20, 20, 20, 12, 8)
            )[0],
            starts=talkative < 0.9,  # noqa: PLR2004
            ends=talkative < 0.75,  # noqa: PLR2004
            calls=talkative < 0.5,  # noqa: PLR2004
            retries=pick.choice((0, 0, 0, 1, 2)),
            twice=pick.random() < 0.25,  # noqa: PLR2004
        )

    def _tree(self) -> Stage:
        pick = self.chance
        stages = [Stage(name, f"{name}-{pick.randint(1, 3)}") for name in self.names]
        if self.style == "spans" and pick.random() < 0.1:  # noqa: PLR2004
            stages.append(Stage(pick.choice(self.names), "other-program"))
        for number, stage in enumerate(stages[1:], 1):
            # Near the end of the list as likely as anywhere: deep trees and wide ones.
            caller = stages[pick.choice((number - 1, pick.randrange(number)))]
            if caller.groups and pick.random() < 0.4:  # noqa: PLR2004
                caller.groups[-1].append(stage)
            else:
                caller.groups.append([stage])
        return stages[0]

    def _inject(self) -> None:
        pick = self.chance
        paths = list(_paths(self.top, ()))
        path = pick.choice(paths)
        self._break(path[-1], pick.choices(("own", "unlogged", "hang", "crash"), (75, 8, 9, 8))[0])
        if pick.random() < 0.25:  # noqa: PLR2004
            others = [p for p in paths if len(p) > 1 and not _related(p, path)]
            if others:
                decoy = pick.choice(others)[-1]
                self.handled = 1
                decoy.fault, decoy.said = "own", pick.choice(OWN_FAULTS)
                decoy.handled, decoy.transient = True, pick.random() < 0.5  # noqa: PLR2004
        elif pick.random() < 0.1:  # noqa: PLR2004
            twins = [
                other
                for stage in path[:-1]
                for group in stage.groups
                if any(one in path for one in group)
                for other in group
                if other not in path
            ]
            if twins:
                self._break(pick.choice(twins), "own")

    def _break(self, stage: Stage, fault: str) -> None:
        stage.fault, stage.said = fault, self.chance.choice(OWN_FAULTS)
        self.truth[id(stage)] = []
        self.faulty.append(stage)

    def _call(
        self, stage: Stage, at: float, caller: Stage | None, parent: str | None, attempt: int
    ) -> tuple[float, Fault | None]:
        """Run one call from its arrival; when its answer is back, and what it was."""
        pick, habits = self.chance, self.habits[stage.service]
        span = f"{pick.getrandbits(64):016x}"
        log = _Pen(self, stage, span, parent, caller)
        now = at + pick.uniform(0.0005, 0.02)
        if habits.starts:
            whom = f" from {caller.service}" if caller and self.style == "texts" else ""
            log.info(now, pick.choice(("request received", "handling request")) + whom)
        fails = stage.fault and not (stage.transient and attempt > 1)
        if fails and stage.fault == "hang":
            return now + pick.uniform(1, 5), Fault(
                0, "timed out", "httpx.ReadTimeout", timeout=True
            )
        if fails and stage.fault == "crash":
            return now + 0.01, Fault(0, "Connection reset by peer", "httpx.ReadError", reset=True)
        late = pick.randint(0, len(stage.groups)) if fails else -1
        for number, group in enumerate(stage.groups):
            if number == late:
                break
            now += pick.uniform(0.0005, 0.01)
            now, fault = self._call_group(stage, group, now, span, log)
            if fault is not None:
                return self._pass_on(stage, log, now, fault)
        now += pick.uniform(0.001, 0.05)
        if fails:
            return self._fail(stage, log, now)
        if habits.ends:
            log.end(now, 200)
        return now, None

    def _call_group(
        self, stage: Stage, group: list[Stage], at: float, span: str, log: "_Pen"
    ) -> tuple[float, Fault | None]:
        """Calls in parallel; the first unhandled failure counts, once all are back."""
        ends, worst = [at], None
        for callee in group:
            now, fault = self._call_with_retries(stage, callee, at, span, log)
            ends.append(now)
            worst = worst or fault
        return max(ends), worst

    def _call_with_retries(
        self, stage: Stage, callee: Stage, at: float, span: str, log: "_Pen"
    ) -> tuple[float, Fault | None]:
        habits, now = self.habits[stage.service], at
        fault: Fault | None = None
        for attempt in range(1, habits.retries + 2):
            log.calls(now, callee)
            now, fault = self._call(callee, now, stage, span, attempt)
            now += self.chance.uniform(0.0005, 0.02)
            if fault is None:
                return now, None
            if attempt <= habits.retries:
                log.retries(now, callee, attempt, fault)
                now += self.chance.uniform(0.01, 0.2)
        if fault is not None and callee.handled:
            log.handles(now, callee)
            return now, None
        if fault is None:
            return now, None
        return now, _named(fault, callee)

    def _fail(self, stage: Stage, log: "_Pen", now: float) -> tuple[float, Fault]:
        kind, text = stage.said
        text = text.format(n=self.chance.randint(1000, 9999), d=self.chance.randint(2, 250))
        if stage.fault == "own":
            record = log.error(now, text if not kind else "request failed", kind, text, "")
            if id(stage) in self.truth:
                self.truth[id(stage)].append(record)
            if self.habits[stage.service].twice:
                now += 0.001
                log.error(now, "Unhandled exception in request", kind, text, "")
        if self.habits[stage.service].ends:
            log.end(now + 0.001, 500)
        return now + 0.002, Fault(
            500, text if stage.fault == "own" else "Internal Server Error", kind
        )

    def _pass_on(self, stage: Stage, log: "_Pen", now: float, fault: Fault) -> tuple[float, Fault]:
        habits = self.habits[stage.service]
        callee, _, said = fault.text.partition("\0")
        status = 504 if fault.timeout else 502
        text = said
        if habits.wraps != "silent":
            message, kind, raised = _report(habits.wraps, callee, said, fault, self.chance)
            log.error(now, message, kind, raised, callee)
            text = raised or message
        if habits.ends:
            log.end(now + 0.001, status)
        return now + 0.002, Fault(status, text, "")

    def arrived(self, lost: float, seed: int) -> Simulated:
        """What is left after `lost` of the records, 0 to 1, are gone."""
        pick = random.Random(seed)
        records = sorted(self.records, key=lambda record: record["true"])
        numbers = {stage["instance"]: pick.randint(1, 5000) for stage in records}
        gone: dict[tuple[str, str], list[int]] = {}
        links, ids = [], set()
        for record in records:
            sender = record["service"], record["instance"]
            for _ in range(pick.choice((0, 0, 1, 3))):  # other requests of the same sender
                numbers[record["instance"]] += 1
                if pick.random() < lost:
                    gone.setdefault(sender, []).append(numbers[record["instance"]])
            numbers[record["instance"]] += 1
            number = numbers[record["instance"]]
            if pick.random() < lost:
                gone.setdefault(sender, []).append(number)
                continue
            links.append(self._link(record, number))
            ids.add(record["id"])
        first = [next((one for one in self.truth[id(f)] if one in ids), None) for f in self.faulty]
        return Simulated(
            style=self.style,
            numbered=self.numbered,
            links=links,
            missing={k: _ranges(v) for k, v in gone.items()} if self.numbered else {},
            complete=len(links) == len(records),
            faults=len(self.faulty) + self.handled,
            root_services=tuple(stage.service for stage in self.faulty),
            root_records=tuple(first),
            first_record_lost=tuple(
                not self.truth[id(f)] or self.truth[id(f)][0] not in ids for f in self.faulty
            ),
        )

    def _link(self, record: dict[str, Any], number: int) -> Link:
        spans = self.style == "spans"
        error = record["level"] is Severity.ERROR
        stamp = START + timedelta(seconds=record["true"] + self.clocks[record["service"]])
        raised = ReportedException(type=record["type"], message=record["raised"])
        return Link(
            record_id=record["id"],
            occurred_at=stamp,
            received_at=START + timedelta(seconds=record["true"] + 0.1),
            service=record["service"],
            instance=record["instance"] if self.numbered or spans else None,
            sequence=number if self.numbered else None,
            span_id=record["span"] if spans else None,
            parent_span_id=record["parent"] if spans else None,
            level=record["level"],
            message=record["message"],
            exception_type=record["type"],
            exception_message=record["raised"],
            attributes=record["attributes"],
            signature_id=sign_text(
                record["message"], raised if record["type"] else None
            ).signature_id
            if error
            else None,
        )


class _Pen:
    """Writes the records of one call."""

    def __init__(
        self, shop: Shop, stage: Stage, span: str, parent: str | None, caller: Stage | None
    ) -> None:
        self.shop, self.stage, self.span, self.parent = shop, stage, span, parent
        fields = shop.style == "fields" and caller is not None
        self.caller = {"caller": caller.service} if fields and caller else {}

    def _write(
        self,
        at: float,
        level: Severity,
        message: str,
        kind: str = "",
        raised: str = "",
        **fields: Any,
    ) -> UUID:
        identity = UUID(int=self.shop.chance.getrandbits(128))
        self.shop.records.append(
            {
                "id": identity, "true": at, "level": level, "message": message, "type": kind,
                "raised": raised, "service": self.stage.service, "span": self.span,
                "instance": self.stage.instance, "parent": self.parent,
                "attributes": {**self.caller, **fields},
            }
        )  # fmt: skip
        return identity

    def info(self, at: float, message: str) -> None:
        self._write(at, Severity.INFO, message)

    def end(self, at: float, status: int) -> None:
        self._write(at, Severity.INFO, f"request answered {status}", status=status)

    def calls(self, at: float, callee: Stage) -> None:
        if not self.shop.habits[self.stage.service].calls:
            return
        fields = {"peer.service": callee.service} if self.shop.style == "fields" else {}
        ways = (f"calling {callee.service}", f"POST http://{callee.service}:8080/v1/do")
        self._write(at, Severity.INFO, self.shop.chance.choice(ways), **fields)

    def retries(self, at: float, callee: Stage, attempt: int, fault: Fault) -> None:
        what = "timed out" if fault.timeout else f"failed with {fault.status or 'reset'}"
        ways = (
            f"attempt {attempt} to call {callee.service} {what}, retrying",
            f"{callee.service} {what}; retry in 100 ms",
            "",
        )
        if message := self.shop.chance.choice(ways):
            self._write(at, Severity.WARNING, message, attempt=attempt)

    def handles(self, at: float, callee: Stage) -> None:
        ways = (
            f"{callee.service} unavailable, using cached value",
            f"falling back to defaults: {callee.service} failed",
            "continuing without optional data",
            f"optional call to {callee.service} did not succeed",
            "",
        )
        if message := self.shop.chance.choice(ways):
            self._write(at, Severity.WARNING, message)

    def error(self, at: float, message: str, kind: str, raised: str, callee: str) -> UUID:
        fields = {"peer.service": callee} if callee and self.shop.style == "fields" else {}
        return self._write(at, Severity.ERROR, message, kind, raised if kind else "", **fields)


def _named(fault: Fault, callee: Stage) -> Fault:
    return msgspec.structs.replace(fault, text=f"{callee.service}\0{fault.text}")


def _report(
    wraps: str, callee: str, said: str, fault: Fault, pick: random.Random
) -> tuple[str, str, str]:
    """Message, exception type and exception message by which a caller tells of a failed call."""
    url = f"http://{callee}:8080/v1/do"
    if fault.timeout or fault.reset:
        plain = f"timeout calling {callee}" if fault.timeout else f"{callee}: connection reset"
        client = (fault.type, "" if fault.timeout else fault.text.partition("\0")[2])
    else:
        plain = pick.choice((f"{fault.status} from {callee}", f"{callee} returned {fault.status}"))
        status = f"Server error '{fault.status} Error' for url '{url}'"
        client = ("httpx.HTTPStatusError", status)
    match wraps:
        case "raise-from":
            return "request failed", "shop.errors.CallFailed", f"could not do it: {plain}"
        case "quote":
            return f"call to {callee} failed: {said}", "", ""
        case "plain":
            return plain, "", ""
        case "url":
            return f"POST {url} failed", *client
        case _:
            return "could not complete the request", "shop.errors.RequestFailed", "giving up"


def _paths(stage: Stage, above: tuple[Stage, ...]) -> Iterator[tuple[Stage, ...]]:
    path = (*above, stage)
    yield path
    for group in stage.groups:
        for callee in group:
            yield from _paths(callee, path)


def _related(one: tuple[Stage, ...], other: tuple[Stage, ...]) -> bool:
    """Whether one place of the tree lies above the other, or is it."""
    return all(a is b for a, b in zip(one, other, strict=False))


def _ranges(numbers: list[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = ranges[-1][0], number
        else:
            ranges.append((number, number))
    return ranges
