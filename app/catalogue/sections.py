"""Markdown -> sections with the parts of a known issue in them. Lines count from 1."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.catalogue.roles import Role, role_of

_PLAIN_LABEL: Final = re.compile(r"([A-Za-z][A-Za-z ]{2,40}):(?:\s|$)").match


class Fence(msgspec.Struct, frozen=True):
    """A fenced or indented code block: the line of its first content line, its info string."""

    line: int
    info: str
    content: str


class Span(msgspec.Struct, frozen=True):
    """Lines of the document, both ends included; empty when `last` is before `first`."""

    first: int
    last: int


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A heading with all that stands below it, up to the next heading of its level or above."""

    title: str
    level: int
    path: tuple[str, ...]
    span: Span
    parts: dict[Role, tuple[Span, ...]]
    """What its headings and labels announce, with the lines that follow each."""
    preamble: Span
    """From below the heading to the first part."""

    def holds(self, line: int) -> bool:
        return self.span.first <= line <= self.span.last


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document taken apart."""

    name: str
    lines: tuple[str, ...]
    sections: tuple[Section, ...]
    fences: tuple[Fence, ...]

    def text(self, *spans: Span) -> str:
        """These lines, as they stand, without blank lines around them."""
        pieces = ("\n".join(self.lines[s.first - 1 : s.last]).strip("\n") for s in spans)
        return "\n\n".join(piece for piece in pieces if piece.strip()).rstrip()

    def own_lines(self, span: Span) -> list[str]:
        """Without the blank ones and the rule across the page at its end."""
        own = list(self.lines[span.first - 1 : span.last])
        while own and not own[-1].strip("-*_ "):
            own.pop()
        return own


class _Mark(msgspec.Struct, frozen=True):
    """A place where a heading or a label stands."""

    line: int
    level: int
    title: str
    role: Role | None
    text_line: int
    """Where its text begins: a label's own line, the line below a heading."""


_LABEL_LEVEL: Final = 7
"""Below every heading."""


def take_apart(name: str, text: str) -> Document:
    """The sections, parts and code blocks of a Markdown or plain text."""
    lines = tuple(text.removesuffix("\n").split("\n"))
    tokens = MarkdownIt("commonmark").parse(text)
    heads = list(_headings(tokens)) or [_Mark(1, 1, name, None, 1)]
    marks = sorted([*heads, *_labels(tokens)], key=lambda mark: (mark.line, mark.level))
    return Document(
        name=name,
        lines=lines,
        sections=tuple(_sections(heads, marks, len(lines))),
        fences=tuple(
            Fence(
                token.map[0] + (2 if token.type == "fence" else 1),
                token.info.strip(),
                token.content,
            )
            for token in tokens
            if token.type in ("fence", "code_block") and token.map
        ),
    )


def _headings(tokens: list[Token]) -> Iterator[_Mark]:
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.map and token.level == 0:
            title = inline.content.strip()
            first, below = token.map
            yield _Mark(first + 1, int(token.tag[1:]), title, role_of(title), below + 1)


def _labels(tokens: list[Token]) -> Iterator[_Mark]:
    """Bold or plain words with a colon at the start of a paragraph: `**Root Cause**: …`."""
    for token, inline in pairwise(tokens):
        if token.type != "paragraph_open" or not token.map or token.level > 0:
            continue
        for offset, line in enumerate(inline.content.split("\n")):
            title = _label(line)
            role = role_of(title) if title else None
            if title and role:
                place = token.map[0] + offset + 1
                yield _Mark(place, _LABEL_LEVEL, title, role, place)


def _label(line: str) -> str | None:
    if line.startswith("**"):
        title, closed, rest = line[2:].partition("**")
        return title if closed and (title.endswith(":") or rest.startswith(":")) else None
    found = _PLAIN_LABEL(line)
    return found[1] if found else None


def _sections(heads: list[_Mark], marks: list[_Mark], last_line: int) -> Iterator[Section]:
    path: list[_Mark] = []
    for n, head in enumerate(heads):
        below = next((h.line for h in heads[n + 1 :] if h.level <= head.level), last_line + 1)
        path = [*(mark for mark in path if mark.level < head.level), head]
        inside = [m for m in marks if head.line < m.line < below and m.role]
        if head.line == head.text_line:  # a document without headings: labels may open it
            inside = [m for m in marks if m.role and m.line < below]
        first_part = min((mark.line for mark in inside), default=below)
        yield Section(
            title=head.title,
            level=head.level,
            path=tuple(mark.title for mark in path),
            span=Span(head.line, below - 1),
            preamble=Span(head.text_line, first_part - 1),
            parts=_parts(inside, below),
        )


def _parts(marks: list[_Mark], below: int) -> dict[Role, tuple[Span, ...]]:
    parts: dict[Role, tuple[Span, ...]] = {}
    ends = [*(mark.line for mark in marks[1:]), below]
    for mark, after in zip(marks, ends, strict=False):
        if mark.role:
            span = Span(mark.text_line, after - 1)
            parts[mark.role] = (*parts.get(mark.role, ()), span)
    return parts
