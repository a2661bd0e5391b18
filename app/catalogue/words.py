"""Words of documents and errors: identifiers taken apart, endings dropped, common ones known."""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

_TOKEN: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)*|\b[45]\d\d\b(?![.:]\d)")
_CAMEL: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+[0-9]*|\d+")
_SHORTEST: Final = 2
_LONGEST: Final = 40

COMMON: Final = frozenset(
    line.strip()
    for line in (Path(__file__).parent / "common_words.txt")
    .read_text(encoding="utf-8")
    .splitlines()
    if line.strip() and not line.startswith("#")
)
"""Stems that ordinary logs and prose are full of; they prove nothing."""


def stems(text: str) -> Iterator[str]:
    """The stems of a text in order; `QueuePool` gives `queuepool`, `queue` and `pool`."""
    for token in _TOKEN.findall(text):
        yield from _parts(token)


@lru_cache(maxsize=65_536)
def _parts(token: str) -> tuple[str, ...]:
    if len(token) > _LONGEST:
        return ()
    parts = [part for piece in re.split(r"[_-]", token) for part in _CAMEL.findall(piece)]
    whole = re.sub(r"[_-]", "", token).lower()
    found = [stem(part.lower()) for part in parts]
    if len(parts) > 1:
        found.append(whole)
    return tuple(word for word in found if len(word) >= _SHORTEST)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The word without its ending."""
    return str(_english().stemWord(word))


@cache
def _english() -> Any:
    import snowballstemmer  # noqa: PLC0415 - late: it loads the stemmers of thirty languages

    return snowballstemmer.stemmer("english")
