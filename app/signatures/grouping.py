"""Which masked texts are one family: evidence held over distinct texts, in no order.

Texts that are equal in all places but one are candidates; what stands in that place decides.
The idea that the variety in one place tells variables from constants is that of IPLoM
(Makanju et al., KDD 2009) and Brain (Yu et al., IEEE TSC 2023); the evidence asked for here
depends on the place: a word behind `=` needs little, the first word of a short text much.
Linear in texts times words, for each of a few rounds.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from app.signatures.family_words import VALUE, Words, is_name, is_type_name


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ROUNDS = 12
_LONGEST = 200
_SETTINGS = _words("true false yes no on off null none nil nan undefined enabled disabled unknown")
"""Words that say which of few states holds: they tell texts apart."""

_ANNOUNCERS = _words("domain file directory path device name group session")
_WHO = _words("user username account login host hostname")
"""Words that announce a value: `user alice`, `host db-a`."""
_OPENERS = frozenset("\"'[({")
_CLOSERS = tuple((mark,) for mark in "\"'])}")

_PLAIN = 6
"""Distinct words that make a place of plain words a variable one, in a text that says enough."""
_NUMBERED = 4
"""The same where all of them carry a masked number: `eth<num>`, `bond<num>`."""
_ENCLOSED = 4
"""The same inside brackets or quotes."""
_ANNOUNCED = 3
_FEW = 3
_SUCCESS = 400
"""A status below is no error (RFC 9110 section 15): its place tells outcomes, it names no error."""


def group(texts: Iterable[Words]) -> dict[Words, Words]:
    """Each distinct text's family: the words they share, VALUE where they differ."""
    family_of = {words: words for words in texts}
    for _ in range(_ROUNDS):
        widened = _widened(set(family_of.values()))
        if not widened:
            break
        family_of = {words: widened.get(family, family) for words, family in family_of.items()}
    return family_of


def _widened(families: set[Words]) -> dict[Words, Words]:
    """The families that lose a word this round, with what they become; the best evidenced first."""
    found = [
        (-len(alike), place, sorted(alike))
        for (place, _), alike in _alike_but_one(families).items()
        if len(alike) > 1 and _is_variable(next(iter(alike)), place, {w[place] for w in alike})
    ]
    widened: dict[Words, Words] = {}
    for _, place, alike in sorted(found):
        if not any(words in widened for words in alike):
            for words in alike:
                widened[words] = (*words[:place], VALUE, *words[place + 1 :])
    return widened


def _alike_but_one(families: set[Words]) -> dict[tuple[int, int], set[Words]]:
    """Families by place and by a hash of what stands in all other places.

    The hash is a sum over places, so leaving one out costs one subtraction.
    """
    alike: dict[tuple[int, int], set[Words]] = defaultdict(set)
    for words in families:
        if len(words) > _LONGEST:
            continue
        hashes = [hash(pair) for pair in enumerate(words)]
        total = sum(hashes) + len(words)
        for place, part in enumerate(hashes):
            alike[place, total - part].add(words)
    return alike


def _is_variable(words: Words, place: int, values: set[str]) -> bool:
    """Whether the different values in one place are enough evidence that the place varies."""
    named = sorted(values - {VALUE})
    constants = sum(map(is_name, words)) - is_name(words[place])
    if not constants or any(map(is_type_name, named)):
        return False
    if all(value.lstrip("-").isdigit() for value in named):
        return any(abs(int(value)) < _SUCCESS for value in named) if named else False
    if not all(map(is_name, named)):
        return False
    telling = [value for value in named if value.lower() not in _SETTINGS]
    if len(telling) < len(named) and len(telling) < _ANNOUNCED and VALUE not in values:
        return False
    if VALUE in values and (len(telling) > 1 or any(VALUE in value for value in telling)):
        return True
    return _is_enumeration(named) or len(values) >= _needed(words, place, values, constants)


def _needed(words: Words, place: int, values: set[str], constants: int) -> int:
    """How many different values it takes, by where they stand."""
    before = words[place - 1].lower() if place else ""
    before_that = words[place - 2] if place > 1 else ""
    enclosed = before in _OPENERS and words[place + 1 : place + 2] in _CLOSERS
    assigned = before_that == "=" if enclosed else before == "=" and before_that != "="
    if assigned or before in _WHO or (enclosed and VALUE in values):
        return 2
    if before in _ANNOUNCERS:
        return _ANNOUNCED
    if enclosed:
        return _ENCLOSED
    if all(VALUE in value for value in values):
        return _NUMBERED
    return _PLAIN + max(0, 3 - constants) + (place == 0)


def _is_enumeration(values: Sequence[str]) -> bool:
    """Of one length, differing in one letter: `rack_A<num>`, `rack_B<num>`; `a`, `b`, `c`, `d`."""
    first = values[0]
    if len({len(value) for value in values}) != 1:
        return False
    differing = {
        place for value in values for place, letter in enumerate(value) if letter != first[place]
    }
    if len(differing) != 1:
        return False
    numbered = all(VALUE in value for value in values)
    return len(values) > _FEW or (numbered and len(first) > _FEW)
