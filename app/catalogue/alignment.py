"""Documents without rules, held against what the libraries are known to print.

Post-mortems quote an error once, often from memory; the default catalogue knows how the
libraries of many versions word the same failure. An entry that speaks of the same thing as one
of the default entries borrows its rules. Likeness is the cosine of TF-IDF vectors (Salton and
Buckley, Information Processing & Management 24, 1988) over title, symptoms, causes and fix.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from app.catalogue.model import KnownIssue
from app.catalogue.words import COMMON, stems

# How much each part tells what an entry is about. A fix names tools that many failures share.
_TITLE, _QUOTED, _PROSE, _FIX, _SAMPLES = 6.0, 3.0, 2.0, 0.35, 0.5
_COMMON_WORD: Final = 0.3
_SAMPLE_CHARACTERS: Final = 4_000

# Measured on the 33 entries of five foreign documents, all of which find their own counterpart
# (likeness from 0.14, 5 words in common), and on ten entries about something else, of which nine
# find none (at most 4 words in common).
LEAST_LIKENESS: Final = 0.14
LEAST_WORDS: Final = 5
LEAST_LEAD: Final = 1.1

Vector = dict[str, float]


class Lexicon:
    """The default entries as vectors, and which of them other entries are about."""

    def __init__(self, issues: Iterable[KnownIssue]) -> None:
        self._issues = [issue for issue in issues if issue.rules]
        bags = [_bag(issue) for issue in self._issues]
        self._spread = Counter(word for bag in bags for word in bag)
        self._vectors = [self._vector(bag) for bag in bags]

    def counterparts(self, issues: Iterable[KnownIssue]) -> dict[str, KnownIssue]:
        """Entry id -> the default entry it is about, for those entries that have one.

        The likest pair first, and each default entry once: two sections of one document are
        not about the same failure.
        """
        pairs = sorted(
            (
                (likeness, issue.known_issue_id, n)
                for issue in issues
                for n, likeness in self._likenesses(issue)
            ),
            reverse=True,
        )
        found: dict[str, KnownIssue] = {}
        taken: set[int] = set()
        for place, (likeness, name, n) in enumerate(pairs):
            if name in found or n in taken:
                continue
            next_best = next(
                (other for other, same, m in pairs[place + 1 :] if same == name and m not in taken),
                0.0,
            )
            if likeness >= next_best * LEAST_LEAD:
                found[name] = self._issues[n]
                taken.add(n)
        return found

    def _likenesses(self, issue: KnownIssue) -> Iterator[tuple[int, float]]:
        vector = self._vector(_bag(issue))
        rare = {word for word in vector if word not in COMMON}
        for n, other in enumerate(self._vectors):
            likeness = sum(weight * other.get(word, 0.0) for word, weight in vector.items())
            if likeness >= LEAST_LIKENESS and len(rare & other.keys()) >= LEAST_WORDS:
                yield n, likeness

    def _vector(self, bag: Vector) -> Vector:
        """Unit length; words that no default entry uses say nothing here."""
        total = len(self._issues) + 1
        weights = {
            word: (1 + math.log(max(count, 1)))
            * math.log(total / (self._spread[word] + 0.5))
            * (_COMMON_WORD if word in COMMON else 1)
            for word, count in bag.items()
            if word in self._spread
        }
        length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        return {word: weight / length for word, weight in weights.items()}


def _bag(issue: KnownIssue) -> Vector:
    bag: Vector = {}
    parts = (
        (issue.title, _TITLE),
        (" ".join(phrase.text for phrase in issue.phrases), _QUOTED),
        (issue.symptoms, _PROSE),
        (issue.causes, _PROSE),
        (issue.fix, _FIX),
        (issue.lesson, _FIX),
        (" ".join(issue.samples)[:_SAMPLE_CHARACTERS], _SAMPLES),
    )
    for text, weight in parts:
        for word in stems(text):
            bag[word] = bag.get(word, 0.0) + weight
    return bag
