"""Markdown documents -> known issues with their provenance. Pure, but for `read_documents`.

An entry is a heading of level 2 that ends in `{#its-id}`; below it stand `Source:`, `Severity:`
and `Tags:` lines and the sections Symptoms, Causes, Fix, Lesson, Caution, Affected files, Rules
and Samples. A broken entry becomes a `Problem`; its neighbours are not touched.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.catalogue.model import Clause, KnownIssue, Problem, Provenance
from app.catalogue.rules import BrokenRule, compile_clause

DEFAULT_DOCUMENTS: Final = Path(__file__).parent / "documents"
SEVERITIES: Final = ("low", "medium", "high", "critical")
MAX_DOCUMENT_BYTES: Final = 4 * 1024 * 1024

_ENTRY: Final = re.compile(r"(?P<title>.*\S)\s*\{#(?P<id>[a-z0-9][a-z0-9-]{0,79})\}\s*").fullmatch
_REQUIRED: Final = ("symptoms", "causes", "fix", "rules")


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """What documents hold: entries that can be used, and what stood in the way of others."""

    issues: tuple[KnownIssue, ...] = ()
    problems: tuple[Problem, ...] = ()


class BrokenEntry(Exception):
    """Becomes a `Problem`; never leaves this file."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class _Fence(msgspec.Struct, frozen=True):
    line: int
    info: str
    content: str


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    """A heading with what stands below it, up to the next heading of its level or above."""

    title: str
    level: int
    path: tuple[str, ...]
    first_line: int
    last_line: int


def read_documents(directories: Iterable[Path]) -> Compiled:
    """Every `*.md` below the directories, compiled together: an id may stand in one place only."""
    issues: dict[str, KnownIssue] = {}
    problems: list[Problem] = []
    for path in sorted(p for directory in directories for p in directory.rglob("*.md")):
        try:
            compiled = compile_document(path.name, _read(path))
        except (OSError, ValueError) as error:
            problems.append(Problem(document=path.name, line=1, reason=str(error)))
            continue
        problems += compiled.problems
        for issue in compiled.issues:
            if issue.known_issue_id in issues:
                problems.append(_duplicate(issue, issues[issue.known_issue_id]))
            else:
                issues[issue.known_issue_id] = issue
    return Compiled(issues=tuple(issues.values()), problems=tuple(problems))


def _read(path: Path) -> str:
    if path.stat().st_size > MAX_DOCUMENT_BYTES:
        raise ValueError(f"larger than {MAX_DOCUMENT_BYTES:,} bytes")
    return path.read_text(encoding="utf-8")


def _duplicate(second: KnownIssue, first: KnownIssue) -> Problem:
    where = f"{first.provenance.document}:{first.provenance.first_line}"
    return Problem(
        document=second.provenance.document,
        line=second.provenance.first_line,
        reason=f"the id {second.known_issue_id!r} is taken by {where}",
    )


def compile_document(document: str, text: str) -> Compiled:
    """The entries of one document. `document` is the file name that provenance shows."""
    lines = text.splitlines()
    tokens = MarkdownIt("commonmark").parse(text)
    sections = _sections(tokens, len(lines))
    issues: dict[str, KnownIssue] = {}
    problems = []
    for section in sections:
        found = _ENTRY(section.title)
        if section.level != 2 or not found:  # noqa: PLR2004 - entries are level 2
            continue
        try:
            issue = _Entry(document, lines, tokens, sections, section).compile(**found.groupdict())
            if issue.known_issue_id in issues:
                problems.append(_duplicate(issue, issues[issue.known_issue_id]))
                continue
            issues[issue.known_issue_id] = issue
        except BrokenEntry as error:
            problems.append(Problem(document=document, line=error.line, reason=error.reason))
    return Compiled(issues=tuple(issues.values()), problems=tuple(problems))


def _sections(tokens: list[Token], line_count: int) -> list[_Section]:
    heads = [
        (int(token.tag[1:]), token.map[0], tokens[i + 1].content)
        for i, token in enumerate(tokens)
        if token.type == "heading_open" and token.map and token.level == 0
    ]
    sections: list[_Section] = []
    path: list[tuple[int, str]] = []
    for n, (level, line, title) in enumerate(heads):
        end = next((below for other, below, _ in heads[n + 1 :] if other <= level), line_count)
        path = [*(head for head in path if head[0] < level), (level, title)]
        sections.append(
            _Section(
                title=title,
                level=level,
                path=tuple(name for _, name in path),
                first_line=line + 1,
                last_line=end,
            )
        )
    return sections


class _Entry:
    """One entry being compiled."""

    def __init__(
        self,
        document: str,
        lines: list[str],
        tokens: list[Token],
        sections: list[_Section],
        head: _Section,
    ) -> None:
        self.document = document
        self.lines = lines
        self.head = head
        inside = [s for s in sections if head.first_line < s.first_line <= head.last_line]
        self.parts = {s.title.strip().lower(): s for s in inside if s.level == head.level + 1}
        self.preamble_end = min((s.first_line - 1 for s in inside), default=head.last_line)
        self.fences = [
            _Fence(token.map[0] + 1, token.info.strip(), token.content)
            for token in tokens
            if token.type == "fence"
            and token.map
            and head.first_line <= token.map[0] < head.last_line
        ]

    def compile(self, *, title: str, id: str) -> KnownIssue:  # noqa: A002 - the pattern's group
        for name in _REQUIRED:
            if name not in self.parts:
                raise BrokenEntry(
                    self.head.first_line, f"{id}: the section '### {name.capitalize()}' is missing"
                )
        facts = self.facts()
        return KnownIssue(
            known_issue_id=id,
            title=title,
            symptoms=self.text("symptoms"),
            causes=self.text("causes"),
            fix=self.text("fix"),
            lesson=self.text("lesson"),
            caution=self.text("caution"),
            severity=self.severity(facts.get("severity")),
            tags=tuple(tag.strip() for tag in facts.get("tags", "").split(",") if tag.strip()),
            affected_files=self.items("affected files"),
            rules=self.rules(),
            samples=self.samples("text sample"),
            near_misses=self.samples("text near-miss"),
            provenance=self.provenance(facts.get("source", "")),
        )

    def facts(self) -> dict[str, str]:
        """The `Name: value` lines between the heading and the first section."""
        pairs = (
            line.partition(":") for line in self.lines[self.head.first_line : self.preamble_end]
        )
        return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}

    def text(self, name: str) -> str:
        part = self.parts.get(name)
        return "\n".join(self.lines[part.first_line : part.last_line]).strip() if part else ""

    def items(self, name: str) -> tuple[str, ...]:
        lines = (line.strip() for line in self.text(name).splitlines())
        return tuple(line[1:].strip().strip("`") for line in lines if line[:1] in ("-", "*"))

    def severity(self, value: str | None) -> str | None:
        if value is not None and value.lower() not in SEVERITIES:
            raise BrokenEntry(
                self.head.first_line, f"severity {value!r} is none of {', '.join(SEVERITIES)}"
            )
        return value.lower() if value else None

    def rules(self) -> Clause:
        fences = [fence for fence in self.fences if fence.info == "yaml rule"]
        if not fences:
            raise BrokenEntry(
                self.parts["rules"].first_line, "no fenced block ```yaml rule stands under Rules"
            )
        clauses = tuple(_clause(fence) for fence in fences)
        return clauses[0] if len(clauses) == 1 else Clause(any=clauses)

    def samples(self, info: str) -> tuple[str, ...]:
        return tuple(f.content.rstrip("\n") for f in self.fences if f.info == info)

    def provenance(self, origin: str) -> Provenance:
        own = self.lines[self.head.first_line - 1 : self.head.last_line]
        while own and not own[-1].strip():
            own = own[:-1]
        return Provenance(
            document=self.document,
            heading_path=(*self.head.path[:-1], _ENTRY(self.head.title)["title"]),  # type: ignore[index]
            first_line=self.head.first_line,
            last_line=self.head.first_line + len(own) - 1,
            content_hash=hashlib.sha256("\n".join(own).encode()).hexdigest(),
            origin=origin,
        )


def _clause(fence: _Fence) -> Clause:
    try:
        clause = msgspec.yaml.decode(fence.content, type=Clause)
        compile_clause(clause)
    except (msgspec.MsgspecError, BrokenRule, ValueError) as error:
        raise BrokenEntry(fence.line, f"the rule cannot be used: {error}") from error
    return clause
