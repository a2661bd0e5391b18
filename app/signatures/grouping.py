"""Which masked texts are one family: evidence held over distinct texts, in no order.

Texts that are equal in all places but one are candidates; what stands in that place decides.
The idea that the variety in one place tells variables from constants is that of IPLoM
(Makanju et al., KDD 2009) and Brain (Yu et al., IEEE TSC 2023); the evidence asked for here
depends on the place: a word behind `user=` needs little, the first word of a short text much.
What the masks kept on purpose, and what tells outcomes apart, varies on no evidence at all.
Linear in texts times words, for each of a few rounds.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from app.signatures.family_words import (
    VALUE,
    Words,
    is_code,
    is_failing,
    is_name,
    is_path,
    is_type_name,
)
from app.signatures.telling import (
    ANNOUNCERS,
    DEPENDENCIES,
    METHODS,
    PREPOSITIONS,
    SETTINGS,
    TELLING_KEYS,
    TRIED,
    WHO,
    is_outcome,
)

_ROUNDS = 12
_LONGEST = 200
_OPENERS = frozenset("[({")
_QUOTES = frozenset("\"'")
_ENDS = (('"',), ("'",))
_CLOSERS = frozenset("])}")

_PLAIN = 6
"""Distinct words that make a place of plain words a variable one, in a text that says enough."""
_NUMBERED = 4
"""The same where all of them carry a masked number: `eth<num>`, `bond<num>`."""
_ENCLOSED = 4
"""The same inside brackets."""
_ANNOUNCED = 3
_FEW = 3
_SUCCESS = 400
"""A status below is no error (RFC 9110 section 15)."""


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
    found = []
    for place, candidates in _alike_but_one(families):
        varying = _varying(candidates[0], place, {words[place] for words in candidates})
        alike = sorted(words for words in candidates if words[place] in varying)
        if len(alike) > 1:
            found.append((-len(alike), place, alike))
    widened: dict[Words, Words] = {}
    for _, place, alike in sorted(found):
        if not any(words in widened for words in alike):
            for words in alike:
                widened[words] = (*words[:place], VALUE, *words[place + 1 :])
    return widened


def _alike_but_one(families: set[Words]) -> Iterator[tuple[int, list[Words]]]:
    """Families that are equal but in one place, with that place.

    The hash is a sum over places, so leaving one out costs one subtraction. Place by place: the
    hashes of all places at once would take more memory than the texts.
    """
    by_length: dict[int, list[Words]] = defaultdict(list)
    for words in families:
        if len(words) <= _LONGEST:
            by_length[len(words)].append(words)
    for length, texts in by_length.items():
        if len(texts) == 1:
            continue
        hashes = [array("q", map(hash, enumerate(words))) for words in texts]
        totals = [sum(parts) for parts in hashes]
        for place in range(length):
            yield from _equal_besides(place, texts, hashes, totals)


def _equal_besides(
    place: int, texts: list[Words], hashes: list["array[int]"], totals: list[int]
) -> Iterator[tuple[int, list[Words]]]:
    first: dict[int, int] = {}
    alike: dict[int, list[Words]] = {}
    for number, parts in enumerate(hashes):
        others = totals[number] - parts[place]
        known = first.setdefault(others, number)
        if known != number:
            alike.setdefault(others, [texts[known]]).append(texts[number])
    for together in alike.values():
        yield place, together


def _varying(words: Words, place: int, values: set[str]) -> set[str]:
    """Those of the different values in one place that are nothing but values; maybe none."""
    if all(value.isdigit() for value in values - {VALUE}):
        return _successes(words, values)
    if any(value != VALUE and _tells(words, place, value) for value in values):
        values = {value for value in values if value == VALUE or not _tells(words, place, value)}
    return values if len(values) > 1 and _is_variable(words, place, values) else set()


def _successes(words: Words, values: set[str]) -> set[str]:
    """Statuses in an access log that are no errors: which of them it was tells little.

    A whole request line, with its `HTTP/1.1`, reports traffic and no failure: there a status that
    also shows success is a value, whatever else it shows.
    """
    if VALUE in values or METHODS.isdisjoint(words):
        return set()
    statuses = {value for value in values if len(value) == _FEW}
    successes = {value for value in statuses if int(value) < _SUCCESS}
    is_request_line = any(word.startswith("HTTP/") for word in words)
    return statuses if successes and is_request_line else successes


def _tells(words: Words, place: int, value: str) -> bool:
    """Whether the word means something where it stands, so that no evidence makes it a value."""
    if is_type_name(value) or is_code(value) or "::" in value or not is_name(value):
        return True
    quoted = place and words[place - 1] in _QUOTES and words[place + 1 : place + 2] in _ENDS
    sign = place - 2 if quoted else place - 1
    if sign > 0 and words[sign] == "=":
        return words[sign - 1].lower().endswith(TELLING_KEYS)
    if quoted or is_outcome(value.lower()):
        return True
    if not is_failing(words):
        return False
    if value.lower() in DEPENDENCIES and not _is_person(words, place):
        return True
    dotted = VALUE not in value and "." in value.strip(".") and not is_path(value)
    return dotted or _is_tried(words, place)


def _is_person(words: Words, place: int) -> bool:
    """Accounts are called `mysql`, too: `user mysql`, `password for mysql from`."""
    before = words[place - 1].lower() if place else ""
    return before in WHO or (before == "for" and words[place + 1 : place + 2] == ("from",))


def _is_tried(words: Words, place: int) -> bool:
    """`failed to create`, `cannot create`: what was tried tells one failure from another."""
    before = words[place - 1].lower() if place else ""
    if before == "to":
        return place > 1 and words[place - 2].lower() in TRIED
    return before in {"cannot", "can't", "couldn't", "not", "could", "can"}


def _is_variable(words: Words, place: int, values: set[str]) -> bool:
    """Whether the different values in one place are enough evidence that the place varies."""
    named = sorted(values - {VALUE})
    constants = sum(map(is_name, words)) - is_name(words[place])
    if not constants:
        return False
    telling = [value for value in named if value.lower() not in SETTINGS]
    if len(telling) < len(named) and len(telling) < _ANNOUNCED and VALUE not in values:
        return False
    if VALUE in values and (len(telling) > 1 or any(VALUE in value for value in telling)):
        return True
    return _is_enumeration(named) or len(values) >= _needed(words, place, values, constants)


def _needed(words: Words, place: int, values: set[str], constants: int) -> int:
    """How many different values it takes, by where they stand."""
    before = words[place - 1].lower() if place else ""
    before_that = words[place - 2] if place > 1 else ""
    after = words[place + 1] if place + 1 < len(words) else ""
    enclosed = (before in _OPENERS and after in _CLOSERS) or (
        before in _QUOTES and after in _QUOTES
    )
    assigned = before_that == "=" if enclosed else before == "=" and before_that != "="
    if assigned or (enclosed and VALUE in values):
        return 2
    if before in WHO | ANNOUNCERS and _is_announced(values, before_that, after):
        return 2 if before in WHO else _ANNOUNCED
    if enclosed:
        return _ENCLOSED
    if all(VALUE in value for value in values):
        return _NUMBERED
    return _PLAIN + max(0, 3 - constants) + (place == 0)


def _is_announced(values: set[str], before_that: str, after: str) -> bool:
    """`user alice from`, `for user alice`, `host db-a`; not `user deletion failed`."""
    if after.lower() in PREPOSITIONS or before_that.lower() in PREPOSITIONS:
        return True
    return all(not value.isalpha() for value in values)


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
