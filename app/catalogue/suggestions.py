"""Entries that share rare words with an error: a hint for people, never an answer."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from heapq import nlargest
from typing import Final

from app.catalogue.model import Evidence, KnownIssue, Match, Tier
from app.catalogue.rules import Subject
from app.catalogue.words import COMMON, stems

MOST: Final = 3
LEAST_SCORE: Final = 0.12
LEAST_WORDS: Final = 2
HIGHEST_SCORE: Final = 0.49
_TITLE_WEIGHT: Final = 2.0
_WORD: Final = re.compile(r"[^\W_][\w-]*")


class Suggestions:
    """An inverted index of the rare words of all entries."""

    def __init__(self, issues: Iterable[KnownIssue]) -> None:
        weights = {issue.known_issue_id: _words(issue) for issue in issues}
        spread = Counter(word for words in weights.values() for word in words)
        self._rarity = {
            word: math.log((len(weights) + 1) / count) for word, count in spread.items()
        }
        self._postings: dict[str, list[tuple[str, float]]] = defaultdict(list)
        for name, words in weights.items():
            scored = {word: weight * self._rarity[word] for word, weight in words.items()}
            length = math.sqrt(sum(score * score for score in scored.values())) or 1.0
            for word, score in scored.items():
                self._postings[word].append((name, score / length))

    def for_subject(self, subject: Subject) -> list[Match]:
        """The likest entries, at most three."""
        heads = [f"{e.type} {e.message}" for e in subject.report.errors]
        text = " ".join(heads) or subject.text[:4_000]
        words = set(stems(text)) & self._rarity.keys()
        said = {word: one for one in _WORD.findall(text) for word in stems(one)}
        length = math.sqrt(sum(self._rarity[word] ** 2 for word in words)) or 1.0
        scores: defaultdict[str, float] = defaultdict(float)
        shared: dict[str, list[str]] = defaultdict(list)
        for word in sorted(words):
            for name, weight in self._postings[word]:
                scores[name] += weight * self._rarity[word] / length
                shared[name].append(word)
        return [
            Match(
                known_issue_id=name,
                tier=Tier.SUGGESTED,
                score=round(min(score, HIGHEST_SCORE), 3),
                evidence=(Evidence(clause="words in common", quote=_listed(said, shared[name])),),
            )
            for score, name in nlargest(MOST, ((score, name) for name, score in scores.items()))
            if score >= LEAST_SCORE and len(shared[name]) >= LEAST_WORDS
        ]


def _listed(said: Mapping[str, str], words: Iterable[str]) -> str:
    """The words as the error says them, not their stems."""
    return ", ".join(dict.fromkeys(said.get(word, word) for word in words))


def _words(issue: KnownIssue) -> dict[str, float]:
    found: dict[str, float] = {}
    for text, weight in ((issue.symptoms, 1.0), (issue.causes, 1.0), (issue.title, _TITLE_WEIGHT)):
        found |= {word: weight for word in stems(text) if word not in COMMON}
    return found
