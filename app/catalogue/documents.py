"""Documents that people already have -> known issues with their provenance.

A section is a known issue when its heading ends in `{#its-id}`, or when its headings and labels
announce both what was seen (or why) and what to do about it. The innermost such section counts.
A broken entry becomes a `Problem`; its neighbours are not touched.
"""

import hashlib
import re
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from app.catalogue.chain_rules import compile_chain_rule
from app.catalogue.gates import gates_of
from app.catalogue.model import ChainRule, Clause, KnownIssue, Problem, Provenance
from app.catalogue.prose import phrases_of
from app.catalogue.reading import (
    NotADocument,
    decode_document,
    with_fences_closed,
    without_front_matter,
)
from app.catalogue.roles import Role, role_of
from app.catalogue.rules import BrokenRule, compile_clause
from app.catalogue.sections import Document, Fence, Section, take_apart

DEFAULT_DOCUMENTS: Final = Path(__file__).parent / "documents"
SUFFIXES: Final = frozenset({".md", ".markdown", ".txt", ".text"})
SEVERITIES: Final = ("low", "medium", "high", "critical")

_EXPLICIT: Final = re.compile(r"(.*\S)\s*\{#([a-z0-9][a-z0-9-]{0,79})\}\s*").fullmatch
_KIND: Final = re.compile(
    r"^\W*(?:\d+[.)]\s*)?"
    r"(?:(?:known )?(?:issue|challenge|problem|bug|incident)\s*#?\d*\s*[:.-]\s*)?",
    re.IGNORECASE,
)
_FACT: Final = re.compile(
    r"[\W_]*(source|severity|priority|tags|labels)[*_\s]*:[*_\s]*(\S.*?)[*_\s]*", re.IGNORECASE
).fullmatch
_PRIORITY: Final = re.compile(
    r"\b(low|medium|high|critical) (?:priority|severity)\b", re.IGNORECASE
)
_ITEM: Final = re.compile(r"\s*[-*+] (?:`([^`]+)`.*|(.*\S))\s*").fullmatch
_T = TypeVar("_T", Clause, ChainRule)


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


def read_documents(paths: Iterable[Path]) -> Compiled:
    """The documents at these paths, folders with all below them, compiled together."""
    return compile_together(
        [compile_file(path) for path in sorted({f for path in paths for f in files_of(path)})]
    )


def files_of(path: Path) -> list[Path]:
    """The file itself, or every Markdown and text file below a folder."""
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    return [path]


def compile_file(path: Path) -> Compiled:
    """One file; what cannot be read at all is a problem of its first line."""
    try:
        return compile_document(path.name, decode_document(path.read_bytes()))
    except (OSError, NotADocument) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        return Compiled(problems=(Problem(document=path.name, line=1, reason=reason),))


def compile_together(parts: Iterable[Compiled]) -> Compiled:
    """Several documents as one catalogue: an id stands for one entry only, the first."""
    issues: dict[str, KnownIssue] = {}
    problems: list[Problem] = []
    for part in parts:
        problems += part.problems
        for issue in part.issues:
            first = issues.get(issue.known_issue_id)
            if first and issue.explicit:
                problems.append(_duplicate(issue, first))
                continue
            named = with_free_id(issue, issues) if first else issue
            issues[named.known_issue_id] = named
    return Compiled(issues=tuple(issues.values()), problems=tuple(problems))


def _duplicate(second: KnownIssue, first: KnownIssue) -> Problem:
    where = f"{first.provenance.document}:{first.provenance.first_line}"
    return Problem(
        document=second.provenance.document,
        line=second.provenance.first_line,
        reason=f"the id {second.known_issue_id!r} is taken by {where}",
    )


def with_free_id(issue: KnownIssue, taken: Container[str]) -> KnownIssue:
    """Two documents may both have a section "Timeouts": the second is named after its file too."""
    stem = _slug(Path(issue.provenance.document).stem)
    names = (
        f"{issue.known_issue_id}-{stem}{n}" for n in ("", *(f"-{k}" for k in range(2, 10_000)))
    )
    return msgspec.structs.replace(
        issue, known_issue_id=next(name for name in names if name not in taken)
    )


def compile_document(name: str, text: str) -> Compiled:
    """The entries of one document. `name` is the file name that provenance shows."""
    # Lines end in LF alone from here on: provenance counts them as the Markdown parser does.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text, unclosed = with_fences_closed(without_front_matter(text))
    document = take_apart(name, text)
    problems = [
        Problem(document=name, line=line, reason="the fenced block is never closed")
        for line in unclosed
    ]
    issues = []
    for section in _entry_sections(document):
        try:
            issues.append(_Entry(document, section).compile())
        except BrokenEntry as error:
            problems.append(Problem(document=name, line=error.line, reason=error.reason))
    found = compile_together([Compiled(issues=tuple(issues))])
    return Compiled(issues=found.issues, problems=(*problems, *found.problems))


def _entry_sections(document: Document) -> Iterator[Section]:
    candidates = [s for s in document.sections if _EXPLICIT(s.title) or _is_issue(s)]
    for section in candidates:
        inner = (s for s in candidates if s is not section and section.holds(s.span.first))
        if _EXPLICIT(section.title) or not any(inner):
            yield section


def _is_issue(section: Section) -> bool:
    seen = section.parts.keys() & {Role.SYMPTOMS, Role.CAUSES}
    return role_of(section.title) is None and bool(seen) and Role.FIX in section.parts


class _Entry:
    """One entry being compiled."""

    def __init__(self, document: Document, section: Section) -> None:
        self.document = document
        self.section = section
        self.fences = [fence for fence in document.fences if section.holds(fence.line - 1)]

    def compile(self) -> KnownIssue:
        explicit = _EXPLICIT(self.section.title)
        title = explicit[1] if explicit else _KIND.sub("", self.section.title)
        name = explicit[2] if explicit else _slug(title)
        if explicit:
            self.require_parts(name)
        facts = self.facts()
        rules = self.rules()
        return KnownIssue(
            known_issue_id=name,
            explicit=bool(explicit),
            title=title,
            symptoms=self.text(Role.SYMPTOMS),
            causes=self.text(Role.CAUSES),
            fix=self.text(Role.FIX),
            lesson=self.text(Role.LESSON),
            caution=self.text(Role.CAUTION),
            severity=self.severity(facts, explicit=bool(explicit)),
            tags=tuple(tag.strip() for tag in facts.get("tags", "").split(",") if tag.strip()),
            affected_files=self.files(),
            rules=rules,
            rules_line=next((f.line - 1 for f in self.fences if f.info == "yaml rule"), 0),
            gates=gates_of(rules) if rules else (),
            chain_rules=tuple(self.decoded("yaml chain-rule", ChainRule)),
            phrases=phrases_of(self.document, self.section),
            samples=self.samples("text sample"),
            near_misses=self.samples("text near-miss"),
            written="\n".join(self.document.own_lines(self.section.span)),
            provenance=self.provenance(facts.get("source", "")),
        )

    def require_parts(self, name: str) -> None:
        for role in (Role.SYMPTOMS, Role.CAUSES, Role.FIX):
            if role not in self.section.parts:
                raise BrokenEntry(
                    self.section.span.first,
                    f"{name}: the section '### {role.capitalize()}' is missing",
                )

    def facts(self) -> dict[str, str]:
        """The `Severity: high` lines, wherever they stand outside the prose."""
        spans = (self.section.preamble, *self.section.parts.get(Role.ASIDE, ()))
        lines = (line for s in spans for line in self.document.lines[s.first - 1 : s.last])
        found = (match for line in lines if (match := _FACT(line)))
        same = {"priority": "severity", "labels": "tags"}
        return {same.get(m[1].lower(), m[1].lower()): m[2].strip() for m in found}

    def text(self, role: Role) -> str:
        return _without_label(self.document.text(*self.section.parts.get(role, ())), role)

    def files(self) -> tuple[str, ...]:
        """The items of the list; of `code` with a remark, the code."""
        items = (_ITEM(line) for line in self.text(Role.FILES).splitlines())
        return tuple(item[1] or item[2] for item in items if item)

    def severity(self, facts: dict[str, str], *, explicit: bool) -> str | None:
        value = facts.get("severity", "").lower()
        if value in SEVERITIES:
            return value
        if value and explicit:
            raise BrokenEntry(
                self.section.span.first, f"severity {value!r} is none of {', '.join(SEVERITIES)}"
            )
        # A TODO list sorts by heading: "High Priority" stands above the entry.
        above = (_PRIORITY.search(title) for title in reversed(self.section.path[:-1]))
        return next((found[1].lower() for found in above if found), None)

    def rules(self) -> Clause | None:
        clauses = tuple(self.decoded("yaml rule", Clause))
        return Clause(any=clauses) if len(clauses) > 1 else next(iter(clauses), None)

    def decoded(self, info: str, shape: type[_T]) -> Iterator[_T]:
        for fence in self.fences:
            if fence.info == info:
                yield _decoded(fence, shape)

    def samples(self, info: str) -> tuple[str, ...]:
        return tuple(f.content.rstrip("\n") for f in self.fences if f.info == info)

    def provenance(self, origin: str) -> Provenance:
        first, own = self.section.span.first, self.document.own_lines(self.section.span)
        return Provenance(
            document=self.document.name,
            heading_path=tuple(_without_id(title) for title in self.section.path),
            first_line=first,
            last_line=first + len(own) - 1,
            content_hash=hashlib.sha256("\n".join(own).encode()).hexdigest(),
            origin=origin,
        )


def _decoded(fence: Fence, shape: type[_T]) -> _T:
    try:
        rule = msgspec.yaml.decode(fence.content, type=shape)
        _check(rule)
    except RecursionError as error:
        raise BrokenEntry(fence.line - 1, "the rule is nested too deep") from error
    except (msgspec.MsgspecError, BrokenRule, ValueError) as error:
        raise BrokenEntry(fence.line - 1, f"the rule cannot be used: {error}") from error
    return rule


def _check(rule: Any) -> None:
    if rb"\u0000" in msgspec.json.encode(rule):
        raise BrokenRule("it holds NUL, which no log record does")
    if isinstance(rule, Clause):
        compile_clause(rule)
    else:
        compile_chain_rule(rule)


def _without_id(title: str) -> str:
    explicit = _EXPLICIT(title)
    return explicit[1] if explicit else title


_LABEL: Final = re.compile(
    r"(?:\*\*([^*\n]{2,60})\*\*:?|([A-Za-z][A-Za-z ]{2,40}):(?=\s|$))[ \t]*"
).match


def _without_label(text: str, role: Role) -> str:
    """`**Problem**: words` -> `words`, when the label says no more than the part's own name."""
    found = _LABEL(text)
    if found and ":" in found[0] and role_of(found[1] or found[2]) is role:
        return text[found.end() :].strip("\n")
    return text


def _slug(title: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return words[:80].strip("-") or "entry"
