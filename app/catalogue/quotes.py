"""An error text that a document quotes, looked for in an error: same words, same order."""

from app.catalogue.gates import Gate
from app.catalogue.model import Evidence, Phrase
from app.catalogue.rules import MAX_QUOTE, Predicate, Subject
from app.catalogue.words import COMMON, stems

LEAST_SHARE = 0.8
"""Of the weight of the phrase's words, this much must follow in order in one line."""
LEAST_RARE_WORDS = 2
_COMMON_WEIGHT = 0.25


def compile_phrase(phrase: Phrase) -> tuple[Predicate, Gate] | None:
    """A predicate and its gate, or None when the phrase says too little to prove anything."""
    wanted = [(word, _COMMON_WEIGHT if word in COMMON else 1.0) for word in stems(phrase.text)]
    rare = {word for word, weight in wanted if weight == 1.0}
    if len(rare) < LEAST_RARE_WORDS:
        return None
    total = sum(weight for _, weight in wanted)

    def holds(subject: Subject) -> tuple[Evidence, ...] | None:
        for line in _lines(subject):
            words = iter(stems(line))
            # All rare words must be there: `type Decimal is not JSON serializable` is another
            # error than `type UUID is not JSON serializable`.
            if not rare <= set(stems(line)):
                continue
            followed = sum(weight for word, weight in wanted if word in words)
            if followed >= LEAST_SHARE * total:
                quote = line.strip()[:MAX_QUOTE]
                clause = f"quoted: {phrase.text}"[:MAX_QUOTE]
                return (Evidence(clause=clause, quote=quote, line=phrase.line),)
        return None

    return holds, _gate(rare)


def _gate(rare: set[str]) -> Gate:
    """A stem is a start of its word in nearly every case; only such stems may guard."""
    plain = [word for word in rare if word.isalnum() and not word.endswith(("i", "y"))]
    return frozenset([max(plain, key=len)]) if plain else None


def _lines(subject: Subject) -> list[str]:
    heads = [f"{error.type}: {error.message}" for error in subject.report.errors]
    return heads or subject.text.splitlines()[:200]
