"""Signatures measured: how well they group, how many a second, how they bear hostile text.

Grouping accuracy (GA) is the share of messages whose predicted group equals the true one as a
set (Zhu et al., ICSE-SEIP 2019); FGA is F1 over groups (Jiang et al., ISSTA 2024). Speed is CPU
time of one thread, one pass, nothing warmed up.
"""

import csv
import random
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import starmap
from pathlib import Path

from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig

from app.signatures import Families, mask, sign_text
from scripts.benches.frame import Options, Row
from scripts.benches.hostile import SHAPES, SIZES, hostile
from scripts.benches.messages import plain_messages, traceback_of

GA_GOAL, FGA_GOAL, SHUFFLE_GOAL = 0.95, 0.90, 0.01
PLAIN_GOAL, TRACEBACK_GOAL, GROWTH_GOAL = 60_000, 8_000, 2.0
COMMON_MASKS = (
    (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "IP"),
    (r"\b0x[0-9a-fA-F]+\b", "HEX"),
    (r"(?<![\w.])-?\d+(?![\w.])", "NUM"),
)
"""Three masks that most set-ups of Drain3 begin with: addresses, hexadecimal, whole numbers."""

Log = list[tuple[str, str]]
"""Content and true event of each line."""


def rows(options: Options) -> Iterator[Row]:
    """Speed, grouping, then hostile text."""
    logs = _read_logs(options.loghub) if options.loghub else {}
    # Speed first: what grouping leaves in the caches would flatter it.
    yield from _speed(logs, count=5_000 if options.quick else 60_000)
    yield from _tracebacks(count=500 if options.quick else 4_000)
    yield from _grouping(logs)
    yield from starmap(_growth, SHAPES.items() if not options.quick else list(SHAPES.items())[:3])


def _read_logs(folder: Path) -> dict[str, Log]:
    logs: dict[str, Log] = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", errors="replace", newline="") as lines:
            logs[path.stem] = [(row["Content"], row["EventId"]) for row in csv.DictReader(lines)]
    return logs


def _grouping(logs: dict[str, Log]) -> Iterator[Row]:
    if not logs:
        for name in ("GA", "FGA", "GA shuffled, difference", "FGA shuffled, difference"):
            yield Row(f"{name} (needs --loghub)", None, "", "", None)
        return
    plain = {name: _accuracy(log) for name, log in logs.items()}
    mixed = {name: _accuracy(_shuffled(log)) for name, log in logs.items()}
    for name, (ga, fga) in plain.items():
        yield Row(f"GA {name}", ga, "", "", None)
        yield Row(f"FGA {name}", fga, "", "", None)
    for place, (name, goal) in enumerate((("GA", GA_GOAL), ("FGA", FGA_GOAL))):
        mean = sum(pair[place] for pair in plain.values()) / len(plain)
        shuffled = sum(pair[place] for pair in mixed.values()) / len(mixed)
        apart = abs(mean - shuffled)
        yield Row(f"{name}, mean over files", mean, "", f">= {goal}", mean >= goal)
        yield Row(
            f"{name} shuffled, difference", apart, "", f"<= {SHUFFLE_GOAL}", apart <= SHUFFLE_GOAL
        )


def _shuffled(log: Log) -> Log:
    mixed = list(log)
    random.Random(7).shuffle(mixed)
    return mixed


def _accuracy(log: Log) -> tuple[float, float]:
    """GA and FGA of the families as they stand after one pass."""
    families = Families()
    ids = []
    for content, _ in log:
        signature = sign_text(content)
        families.observe(signature)
        ids.append(signature.signature_id)
    settled = families.settle()
    predicted = _groups([settled[one].family_id for one in ids])
    true = _groups([event for _, event in log])
    right = predicted & true
    found = len(right) / len(predicted), len(right) / len(true)
    fga = 2 * found[0] * found[1] / sum(found) if right else 0.0
    return sum(map(len, right)) / len(log), fga


def _groups(labels: Sequence[Hashable]) -> set[frozenset[int]]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for line, label in enumerate(labels):
        groups[label].append(line)
    return {frozenset(lines) for lines in groups.values()}


def _speed(logs: dict[str, Log], *, count: int) -> Iterator[Row]:
    if logs:
        lines = [content for log in logs.values() for content, _ in log]
        yield from _against_drain("plain messages, LogHub lines", lines)
    yield from _against_drain("plain messages, all different", plain_messages(count))


def _against_drain(name: str, messages: list[str]) -> Iterator[Row]:
    half = len(messages) // 2
    # In two turns each, so that a machine that slows down meanwhile slows down both.
    ours = _seconds(sign_text, messages[:half])
    miner = _drain()
    theirs = _seconds(miner.add_log_message, messages[:half])
    ours += _seconds(sign_text, messages[half:])
    theirs += _seconds(miner.add_log_message, messages[half:])
    signed = len(messages) / ours
    yield Row(name, signed, "1/s", f">= {PLAIN_GOAL}", signed >= PLAIN_GOAL)
    yield Row(f"{name}, times Drain3", theirs / ours, "x", ">= 1", theirs >= ours)


def _drain() -> TemplateMiner:
    config = TemplateMinerConfig()
    config.masking_instructions = list(starmap(MaskingInstruction, COMMON_MASKS))
    return TemplateMiner(config=config)


def _tracebacks(*, count: int) -> Iterator[Row]:
    traces = [traceback_of(frames=30, seed=seed) for seed in range(count)]
    signed = count / _seconds(sign_text, traces)
    yield Row(
        "Python tracebacks of 30 frames",
        signed,
        "1/s",
        f">= {TRACEBACK_GOAL}",
        signed >= TRACEBACK_GOAL,
    )


def _seconds(do: Callable[[str], object], texts: list[str]) -> float:
    start = time.process_time()
    for text in texts:
        do(text)
    return time.process_time() - start


def _growth(shape: str, piece: str) -> Row:
    """The worst factor by which a longer line costs more per byte than a shorter one did."""
    worst = 0.0
    for do in (mask, sign_text):
        cheapest = float("inf")
        for size in SIZES:
            text = hostile(piece, size)
            per_byte = min(_seconds(do, [text]) for _ in range(_rounds(size))) / size
            if cheapest < float("inf"):
                worst = max(worst, per_byte / cheapest)
            cheapest = min(cheapest, per_byte)
    name = f"hostile {shape}, growth of time per byte"
    return Row(name, worst, "x", f"<= {GROWTH_GOAL:g}", worst <= GROWTH_GOAL)


def _rounds(size: int) -> int:
    return max(4, 65_536 // size)
