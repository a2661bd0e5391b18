"""An error text that a document quotes, looked for in an error: same words, same order."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import takewhile
from typing import Final

from app.catalogue.gates import Gate
from app.catalogue.model import Evidence, Phrase
from app.catalogue.rules import MAX_QUOTE, Predicate, Subject
from app.catalogue.words import COMMON, stems

LEAST_SHARE: Final = 0.8
"""Of the weight of the phrase's words, this much must follow in order in one line."""
LEAST_RARE_WORDS: Final = 2
_COMMON_WEIGHT: Final = 0.25
_MOST_LINES: Final = 200
_SHORTEST_GUARD: Final = 3
_ENDING: Final = re.compile(r"(?:[eiy]|(?<=b)l)$")
"""What a stem may have that its words have not: `hope` of `hoping`, `possibl` of `possibility`."""
_WORD: Final = re.compile(r"[A-Za-z0-9]+")


def compile_phrase(phrase: Phrase) -> tuple[Predicate, Gate] | None:
    """A predicate and its gate, or None when the phrase says too little to prove anything."""
    wanted = [(word, _COMMON_WEIGHT if word in COMMON else 1.0) for word in stems(phrase.text)]
    rare = frozenset(word for word, weight in wanted if weight == 1.0)
    if len(rare) < LEAST_RARE_WORDS:
        return None
    least = LEAST_SHARE * sum(weight for _, weight in wanted)

    def holds(subject: Subject) -> tuple[Evidence, ...] | None:
        for line, words, there in _lines(subject):
            # All rare words must be there: `type Decimal is not JSON serializable` is another
            # error than `type UUID is not JSON serializable`.
            if rare <= there and _followed(wanted, words) >= least:
                clause = f"quoted: {phrase.text}"[:MAX_QUOTE]
                quote = line.strip()[:MAX_QUOTE]
                return (Evidence(clause=clause, quote=quote, line=phrase.line),)
        return None

    return holds, _gate(phrase, rare)


def _followed(wanted: list[tuple[str, float]], words: tuple[str, ...]) -> float:
    """The weight of the phrase's words that follow each other in the line.

    The first one that does not ends it: what comes after `Object of type UUID` proves nothing
    where the type is another one.
    """
    rest = iter(words)
    return sum(weight for _, weight in takewhile(lambda one: one[0] in rest, wanted))


def _gate(phrase: Phrase, rare: frozenset[str]) -> Gate:
    """The longest beginning that all words with one of the rare stems have in common."""
    text = phrase.text.lower()
    beginnings = (_ENDING.sub("", word) for word in rare & set(_single_words(phrase.text)))
    best = max((one for one in beginnings if one in text), key=len, default="")
    return frozenset([best]) if len(best) >= _SHORTEST_GUARD else None


def _single_words(text: str) -> Iterator[str]:
    """Not `queuepool`, which another text may write `queue_pool`."""
    for piece in _WORD.findall(text):
        words = list(stems(piece))
        yield from words[:-1] or words


_Line = tuple[str, tuple[str, ...], frozenset[str]]


def _lines(subject: Subject) -> tuple[_Line, ...]:
    heads = tuple(f"{error.type}: {error.message}" for error in subject.report.errors)
    return _taken_apart(heads or subject.text)


@lru_cache(maxsize=8)
def _taken_apart(text: str | tuple[str, ...]) -> tuple[_Line, ...]:
    """Lines with their words: ten thousand phrases ask for those of one error in a row."""
    lines = text.splitlines()[:_MOST_LINES] if isinstance(text, str) else text
    apart = ((line, tuple(stems(line))) for line in lines)
    return tuple((line, words, frozenset(words)) for line, words in apart)
