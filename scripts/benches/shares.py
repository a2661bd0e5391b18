"""Rows about two sides that were measured in turns."""

import statistics
from collections.abc import Sequence

from scripts.benches.frame import Row


def middle(name: str, values: Sequence[float], unit: str) -> Row:
    return Row(name, statistics.median(values), unit, "", None)


def share(name: str, ours: Sequence[float], theirs: Sequence[float], goal: float | None) -> Row:
    """The median of the ratios turn by turn: what disturbs one turn disturbs both of its sides."""
    value = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    if goal is None:
        return Row(name, value, "x", "", None)
    return Row(name, value, "x", f">= {goal}", value >= goal)


def below(name: str, value: float, unit: str, goal: float) -> Row:
    return Row(name, value, unit, f"< {goal:g}", value < goal)
