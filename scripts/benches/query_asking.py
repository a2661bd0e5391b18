"""Questions put one after the other to a service that stores records meanwhile."""

import random
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import httpx
import msgspec

from scripts.benches.frame import Row
from scripts.benches.live import LISTENERS, ONE_SEARCH, Listening, mark
from scripts.benches.loads import Load, Plan, percentile, send
from scripts.benches.query_beside import HalfLoad, Sending, kept
from scripts.benches.query_filled import bar
from scripts.benches.query_kinds import Kind, Samples, requests_of
from scripts.benches.records import BATCH
from scripts.benches.shares import below, middle, share

ENOUGH: Final = 100
"""Questions that a 99th percentile is taken of; of the slow ones there are fewer."""
DIFFERENT: Final = 3_000
CHECKED: Final = 2
KEPT: Final = 0.85
QUESTIONS_A_SECOND: Final = 5.0


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How long is asked, and how much is sent."""

    round_seconds: float = 4.0
    longest_seconds: float = 24.0
    batches: int = 100
    turns: int = 5
    live_seconds: float = 20.0


QUICK: Final = Effort(
    round_seconds=1, longest_seconds=5, batches=20, turns=2, live_seconds=5
)  # fmt: skip


class Asked(msgspec.Struct, frozen=True):
    """Milliseconds of every answer; one that failed took for ever."""

    milliseconds: list[float]

    @property
    def p50(self) -> float:
        return statistics.median(self.milliseconds)

    @property
    def p99(self) -> float:
        return percentile(self.milliseconds, 0.99)


class Asking:
    """Whoever asks, over one connection, and the sender beside it."""

    def __init__(self, port: int, sending: Sending, samples: Samples, effort: Effort) -> None:
        self._port, self._sending = port, sending
        self._samples, self._effort = samples, effort
        sending.at_most(10)
        self.highest = sending.at_most(effort.batches)
        self._loads: list[Load] = []

    @property
    def half(self) -> float:
        return self.highest / 2

    def ask(self, kinds: Sequence[Kind]) -> dict[str, Asked]:
        """Kind by kind, each until there are enough answers or its time is up."""
        for kind in kinds:
            self._check(kind)
        with HalfLoad(self._sending, self.half) as beside:
            found = self.ask_alone(kinds)
        self._loads = beside.loads
        return found

    def ask_alone(self, kinds: Sequence[Kind]) -> dict[str, Asked]:
        """The same, unchecked, with nothing sent by this."""
        return {kind.name: self._asked(kind) for kind in kinds}

    def _asked(self, kind: Kind) -> Asked:
        loads: list[Load] = []
        until = time.monotonic() + self._effort.longest_seconds
        with bar() as progress:
            task = progress.add_task(kind.title, total=ENOUGH)
            while sum(load.requests for load in loads) < ENOUGH and time.monotonic() < until:
                loads.append(self._round(kind))
                progress.advance(task, loads[-1].requests)
        failed = sum(load.requests - load.good + load.unanswered for load in loads)
        taken = [seconds * 1000 for load in loads for seconds in load.latencies]
        return Asked(taken + [float("inf")] * failed)

    def _round(self, kind: Kind) -> Load:
        return send(
            Plan(
                ports=(self._port,),
                requests=requests_of(kind, self._samples, DIFFERENT),
                connections=1,
                seconds=self._effort.round_seconds,
            )
        )

    def _check(self, kind: Kind) -> None:
        """Raises `RuntimeError` when the answers are not what is asked for."""
        with httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=60) as client:
            for _ in range(CHECKED):
                path = kind.path(self._samples)
                answer = client.get(path).raise_for_status().json()
                found = answer.get("records", answer.get("total"))
                if kind.finds not in {None, bool(found)} and not answer.get("stopped_at"):
                    raise RuntimeError(f"{path} finds {found!r}")

    def ingest_rows(self, about: str) -> Iterator[Row]:
        """What is left of the load while the questions were asked, one after the other."""
        yield Row(f"{about}: highest rate of ingest, alone", self.highest, "records/s", "", None)
        if not self._loads:
            return
        value = kept(self._loads, self.half)
        yield Row(
            f"{about}: share kept of half of it, questions at once one after the other",
            value, "x", f">= {KEPT}", value >= KEPT,
        )  # fmt: skip
        batches = [seconds for load in self._loads for seconds in load.latencies]
        late = percentile(batches, 0.99) * 1000
        yield Row(f"{about}: a batch of {BATCH} meanwhile, p99", late, "ms", "", None)

    def live_rows(self) -> Iterator[Row]:
        """Fifty listeners at half load."""
        stop = threading.Event()
        marking = threading.Thread(target=mark, args=(self._sending.port, stop))
        with Listening(self._port, ONE_SEARCH) as listening:
            marking.start()
            self._sending.at(self.half, self._effort.live_seconds)
            stop.set()
            marking.join()
        about = f"live tail, {LISTENERS} listeners, record to listener"
        yield Row(f"{about}: events", len(listening.seconds), "events", "", None)
        yield below(f"{about}, p50", percentile(listening.seconds, 0.5), "s", 1)
        yield below(f"{about}, p99", percentile(listening.seconds, 0.99), "s", 2)

    def share_rows(self, kinds: Sequence[Kind]) -> Iterator[Row]:
        """The highest rate with nobody asking and with some questions a second, in turns."""
        alone, beside = [], []
        for _ in range(self._effort.turns):
            alone.append(self._sending.at_most(self._effort.batches))
            with self._questions(kinds):
                beside.append(self._sending.at_most(self._effort.batches))
        asked = f"{QUESTIONS_A_SECOND:g} questions a second of all kinds"
        yield middle("highest rate of ingest, nobody asks", alone, "records/s")
        yield middle(f"highest rate of ingest, {asked}", beside, "records/s")
        yield share(f"share that is left beside {asked}", beside, alone, KEPT)

    @contextmanager
    def _questions(self, kinds: Sequence[Kind]) -> Iterator[None]:
        over = threading.Event()
        asking = threading.Thread(target=self._keep_asking, args=(kinds, over))
        asking.start()
        try:
            yield
        finally:
            over.set()
            asking.join()

    def _keep_asking(self, kinds: Sequence[Kind], over: threading.Event) -> None:
        """On schedule as far as the answers allow it, in random order."""
        with httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=60) as client:
            due = time.monotonic()
            while not over.wait(max(0.0, due - time.monotonic())):
                client.get(random.choice(kinds).path(self._samples))
                due = max(due + 1 / QUESTIONS_A_SECOND, time.monotonic())
