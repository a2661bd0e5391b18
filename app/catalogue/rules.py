"""Rules on an error: a `Clause` compiles into a predicate that answers with its evidence."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import re2
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from app.catalogue.model import Clause, Evidence
from app.signatures.model import ErrorReport, RaisedError

MAX_QUOTE: Final = 300


class BrokenRule(ValueError):
    """A rule that says nothing, or whose pattern RE2 does not compile."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """An error as rules see it."""

    report: ErrorReport
    text: str
    """Everything the sender wrote of it: message, exception, stack."""
    service: str = ""
    level: str = ""
    release: str = ""
    attributes: dict[str, Any] = {}


Predicate = Callable[[Subject], tuple[Evidence, ...] | None]
"""Evidence when the clause holds (empty for a bare `not`), None when it does not."""
_Find = Callable[[str], str | None]


def compile_clause(clause: Clause) -> Predicate:
    """Raises `BrokenRule` for an empty clause or a pattern that is none."""
    predicates = [
        make(clause) for make, fields in _MAKERS if any(getattr(clause, field) for field in fields)
    ]
    if not predicates:
        raise BrokenRule("the clause is empty: it would hold for every error")
    return predicates[0] if len(predicates) == 1 else _all_of(predicates)


def _all_of(predicates: list[Predicate]) -> Predicate:
    def holds(subject: Subject) -> tuple[Evidence, ...] | None:
        evidence: tuple[Evidence, ...] = ()
        for predicate in predicates:
            found = predicate(subject)
            if found is None:
                return None
            evidence += found
        return evidence

    return holds


def _any_of(clause: Clause) -> Predicate:
    predicates = [compile_clause(part) for part in clause.any]

    def holds(subject: Subject) -> tuple[Evidence, ...] | None:
        found = (predicate(subject) for predicate in predicates)
        return next((evidence for evidence in found if evidence is not None), None)

    return holds


def _every(clause: Clause) -> Predicate:
    return _all_of([compile_clause(part) for part in clause.all])


def _not(clause: Clause) -> Predicate:
    assert clause.not_ is not None  # noqa: S101 - compile_clause calls this only when it is there
    predicate = compile_clause(clause.not_)
    return lambda subject: () if predicate(subject) is None else None


def _raised(clause: Clause) -> Predicate:
    """Type and message, on one and the same error of the chain of causes."""
    finds = [
        (name, pattern, find)
        for name, pattern, find in (
            ("message", clause.message, _substring(clause.message)),
            ("message_re2", clause.message_re2, _pattern(clause.message_re2)),
        )
        if pattern
    ]

    def on(error: RaisedError) -> tuple[Evidence, ...] | None:
        evidence = []
        if clause.exception:
            if not _is_type(error.type, clause.exception):
                return None
            evidence.append(Evidence(clause=f"exception: {clause.exception}", quote=error.type))
        for name, pattern, find in finds:
            quote = find(error.message)
            if quote is None:
                return None
            evidence.append(Evidence(clause=f"{name}: {pattern}", quote=quote))
        return tuple(evidence)

    def holds(subject: Subject) -> tuple[Evidence, ...] | None:
        errors = subject.report.errors
        # A message without an exception around it is still a message.
        candidates = errors or (RaisedError(type="", message=subject.report.message),)
        return next((found for error in candidates if (found := on(error)) is not None), None)

    return holds


def _is_type(reported: str, wanted: str) -> bool:
    reported, wanted = (name.replace("::", ".").replace("\\", ".") for name in (reported, wanted))
    return reported == wanted or reported.endswith("." + wanted)


def _frame(clause: Clause) -> Predicate:
    def holds(subject: Subject) -> tuple[Evidence, ...] | None:
        for error in subject.report.errors:
            for frame in error.frames:
                place = f"{frame.module} {frame.function}"
                if clause.frame in place:
                    return (Evidence(clause=f"frame: {clause.frame}", quote=place[:MAX_QUOTE]),)
        return None

    return holds


def _on(
    field: str, of: Callable[[Subject], str], find: Callable[[str], _Find]
) -> Callable[[Clause], Predicate]:
    def make(clause: Clause) -> Predicate:
        wanted = getattr(clause, field)
        search = find(wanted)

        def holds(subject: Subject) -> tuple[Evidence, ...] | None:
            quote = search(of(subject))
            return None if quote is None else (Evidence(clause=f"{field}: {wanted}", quote=quote),)

        return holds

    return make


def _release(clause: Clause) -> Predicate:
    try:
        wanted = SpecifierSet(clause.release, prereleases=True)
    except InvalidSpecifier as error:
        raise BrokenRule(f"release: {error}") from error

    def holds(subject: Subject) -> tuple[Evidence, ...] | None:
        try:
            version = Version(subject.release)
        except InvalidVersion:
            return ()
        if version not in wanted:
            return None
        return (Evidence(clause=f"release: {clause.release}", quote=subject.release),)

    return holds


def _attribute(clause: Clause) -> Predicate:
    def holds(subject: Subject) -> tuple[Evidence, ...] | None:
        evidence = []
        for name, wanted in clause.attribute.items():
            value = subject.attributes.get(name)
            if value is None or wanted not in ("*", str(value)):
                return None
            evidence.append(Evidence(clause=f"attribute: {name}", quote=str(value)[:MAX_QUOTE]))
        return tuple(evidence)

    return holds


def _lines(clause: Clause) -> Predicate:
    def holds(subject: Subject) -> tuple[Evidence, ...] | None:
        lines = iter(subject.text.splitlines())
        evidence = []
        for wanted in clause.lines:
            # One iterator for all: each part is looked for only below the one before it.
            line = next((line for line in lines if wanted in line), None)
            if line is None:
                return None
            evidence.append(Evidence(clause=f"lines: {wanted}", quote=line.strip()[:MAX_QUOTE]))
        return tuple(evidence)

    return holds


def _substring(wanted: str) -> _Find:
    return lambda text: wanted if wanted in text else None


def _equal(wanted: str) -> _Find:
    folded = wanted.lower()
    return lambda text: text if text.lower() == folded else None


def _pattern(pattern: str) -> _Find:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True  # nobody asks for groups; without them it is quicker
    try:
        search = re2.compile(pattern, options).search
    except re2.error as error:
        reason = error.args[0] if error.args else error
        raise BrokenRule(f"RE2 does not compile {pattern!r}: {_text(reason)}") from error

    def find(text: str) -> str | None:
        found = search(text)
        return str(found.group(0))[:MAX_QUOTE] if found else None

    return find


def _text(reason: object) -> str:
    return reason.decode() if isinstance(reason, bytes) else str(reason)


# In the order of cost: what is cheap and decides often comes first.
_MAKERS: Final[tuple[tuple[Callable[[Clause], Predicate], tuple[str, ...]], ...]] = (
    (_on("service", lambda s: s.service, _equal), ("service",)),
    (_on("level", lambda s: s.level, _equal), ("level",)),
    (_raised, ("exception", "message", "message_re2")),
    (_on("text", lambda s: s.text, _substring), ("text",)),
    (_release, ("release",)),
    (_attribute, ("attribute",)),
    (_lines, ("lines",)),
    (_frame, ("frame",)),
    (_on("text_re2", lambda s: s.text, _pattern), ("text_re2",)),
    (_every, ("all",)),
    (_any_of, ("any",)),
    (_not, ("not_",)),
)
