"""What an entry's own words say of an error: quoted error lines, names, and rare words."""

import re
from collections.abc import Iterator
from typing import Final

from app.catalogue.model import Phrase
from app.catalogue.roles import Role
from app.catalogue.sections import Document, Section

_INLINE: Final = re.compile(r"`([^`\n]+)`|\"([^\"\n]{4,})\"|“([^”\n]{4,})”")
_ERROR_LIKE: Final = re.compile(
    r"\b[\w.]*(?:Error|Exception|Warning|Fault|Panic)\b"
    r"|\b(?:error|fatal|failed|cannot|can't|could not|unable to|invalid|not found|refused|denied"
    r"|exhausted|exceeded|timed? ?out|too many|never|waiting for)\b",
    re.IGNORECASE,
)
_MARKS: Final = re.compile(r"^\s*(?:#|//|--|\$|>|E  )+\s*|\s*(?:#|//)\s*[❌✗!].*$")
_COMMENT: Final = re.compile(r"^\s*(?:#|//|--|\*)\s?(.*)$")


def phrases_of(document: Document, section: Section) -> tuple[Phrase, ...]:
    """The error texts an entry quotes: in code blocks, in comments, in backticks and quotes."""
    found: dict[str, Phrase] = {}
    fenced = _fenced_lines(document)
    for role in (Role.SYMPTOMS, Role.CAUSES):
        for span in section.parts.get(role, ()):
            for number in range(span.first, span.last + 1):
                line = document.lines[number - 1]
                for text in _quoted(line, fenced=number in fenced):
                    found.setdefault(text, Phrase(text=text, line=number))
    return tuple(found.values())


def _fenced_lines(document: Document) -> set[int]:
    return {
        fence.line + n for fence in document.fences for n in range(fence.content.count("\n") or 1)
    }


def _quoted(line: str, *, fenced: bool) -> Iterator[str]:
    if fenced:
        text = _MARKS.sub("", line).strip()
        if _ERROR_LIKE.search(text) and len(text.split()) > 1:
            yield text
        return
    for groups in _INLINE.findall(line):
        text = next(filter(None, groups)).strip()
        if len(text.split()) > 1 or _ERROR_LIKE.search(text):
            yield text
