"""Literals that must stand in a text before a rule can hold: what makes 10,000 entries quick.

A gate is a set of literals of which at least one stands in every text the rule holds for. All
gates of a catalogue go into one Aho-Corasick automaton (Aho and Corasick, CACM 1975), so that a
text is read once, and only entries whose gate opens are looked at.
"""

# The parser of the standard library, which has no public name since Python 3.11.
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
from collections.abc import Iterable, Iterator
from typing import Any, Final

import ahocorasick

from app.catalogue.model import Clause
from app.catalogue.rules import Subject

Gate = frozenset[str] | None
"""Folded literals; None: the rule may hold for any text."""

_SHORTEST: Final = 3
_MOST: Final = 256
"""A gate of more literals is no gate."""


class Gates:
    """Which of many entries may hold for a text."""

    def __init__(self, gates: Iterable[tuple[int, Gate]]) -> None:
        self._open: list[int] = []
        owners: dict[str, list[int]] = {}
        for entry, gate in gates:
            if gate is None:
                self._open.append(entry)
            for literal in gate or ():
                owners.setdefault(literal, []).append(entry)
        self._owners = list(owners.values())
        self._automaton = ahocorasick.Automaton()
        for number, literal in enumerate(owners):
            self._automaton.add_word(literal, number)
        if owners:
            self._automaton.make_automaton()

    def opened_by(self, haystack: str) -> set[int]:
        """The entries whose gate the folded text opens, and those without a gate."""
        if not self._owners:
            return set(self._open)
        # First the literals, each once: a long text may say "connection" a thousand times.
        literals = {number for _, number in self._automaton.iter(haystack)}
        return set(self._open).union(*map(self._owners.__getitem__, literals))


def haystack_of(subject: Subject) -> str:
    """All that a literal of a rule could stand in, folded."""
    errors = subject.report.errors
    frames = (f"{frame.module} {frame.function}" for error in errors for frame in error.frames)
    heads = (f"{error.type}\n{error.message}" for error in errors)
    return folded("\n".join((subject.text, subject.report.message, *heads, *frames)))


def folded(text: str) -> str:
    """Without case. `lower` would turn a sigma by what follows it, `casefold` never looks there."""
    return text.casefold()


def alternatives(clause: Clause) -> Iterator[Clause]:
    """Each has a gate of its own: of an entry's fifty patterns few are ever tried.

    What the whole rule excludes is asked of each alternative, once that holds.
    """
    if clause != Clause(any=clause.any, not_=clause.not_) or not clause.any:
        yield clause
        return
    for part in clause.any:
        for one in alternatives(part):
            yield Clause(all=(one,), not_=clause.not_) if clause.not_ else one


def gates_of(rules: Clause) -> tuple[tuple[str, ...] | None, ...]:
    """The gates of all alternatives in their order, in a shape that can be stored."""
    gates = map(gate_of, alternatives(rules))
    return tuple(tuple(sorted(gate)) if gate else None for gate in gates)


def gate_of(clause: Clause) -> Gate:
    """The best gate among all that the clause demands."""
    gates = [
        *(_literal(text) for text in (_last(clause.exception), clause.message, clause.text)),
        *(_literal(text) for text in (clause.frame, *clause.lines)),
        *(_of_pattern(pattern) for pattern in (clause.message_re2, clause.text_re2)),
        *(gate_of(part) for part in clause.all),
        _either(gate_of(part) for part in clause.any) if clause.any else None,
    ]
    return _best(gates)


def _last(dotted: str) -> str:
    """A type may be reported with other separators: its last name is sure to be there."""
    return dotted.replace("::", ".").replace("\\", ".").rpartition(".")[2]


def _literal(text: str) -> Gate:
    return frozenset([folded(text)]) if len(text) >= _SHORTEST else None


def _either(gates: Iterable[Gate]) -> Gate:
    """One of several alternatives: any literal of any of them."""
    union: set[str] = set()
    for gate in gates:
        if gate is None:
            return None
        union |= gate
    return frozenset(union) if 0 < len(union) <= _MOST else None


def _best(gates: Iterable[Gate]) -> Gate:
    """The gate whose shortest literal is longest, of equals the smallest: it opens least often."""
    return max(
        (gate for gate in gates if gate), key=lambda g: (min(map(len, g)), -len(g)), default=None
    )


def _of_pattern(pattern: str) -> Gate:
    """RE2's syntax is close to Python's: what Python cannot parse has no gate."""
    if not pattern or "[:" in pattern:  # `[[:alpha:]]` means something else to Python
        return None
    try:
        parsed = sre_parser.parse(pattern)
    except (sre_parser.error, RecursionError, OverflowError):
        return None
    return _of_sequence(list(parsed))


def _of_sequence(items: list[Any]) -> Gate:
    gates: list[Gate] = []
    run: list[str] = []
    for kind, value in [*items, (None, None)]:
        if kind is sre.LITERAL:
            run.append(chr(value))
            continue
        gates.append(_literal("".join(run)))
        run = []
        gates.append(_of_item(kind, value))
    return _best(gates)


def _of_item(kind: Any, value: Any) -> Gate:
    if kind is sre.SUBPATTERN:
        return _of_sequence(list(value[3]))
    if kind is sre.BRANCH:
        return _either(_of_sequence(list(branch)) for branch in value[1])
    if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT) and value[0] > 0:
        return _of_sequence(list(value[2]))
    return None
