"""`prodsentinel match` and `prodsentinel catalogue check|export`: no server, no database."""

import sys
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from app.catalogue.checking import violations, ways_found
from app.catalogue.documents import (
    Compiled,
    compile_file,
    compile_together,
    files_of,
    read_documents,
)
from app.catalogue.inputs import MOST_LINE, both_ends, lines_of, text_of
from app.catalogue.live import compile_matcher, default_catalogue, default_lexicon
from app.catalogue.matcher import Matcher, subject_of
from app.catalogue.model import Evidence, KnownIssue, Match, Problem, Tier
from app.catalogue.rules import Subject
from app.normalise.levels import parse_level
from app.normalise.record import ReportedException

NOTHING_MATCHED: Final = 3
PROBLEMS_FOUND: Final = 1

_Paths = tuple[Path, ...]
_DOCUMENTS = click.Path(exists=True, readable=True, path_type=Path)
_INPUT = click.Path(exists=True, readable=True, dir_okay=False, allow_dash=True)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `match --jsonl`. Unknown fields are nobody's business here."""

    text: str | None = None
    exception_type: str | None = None
    message: str | None = None
    service: str | None = None
    level: str | int | None = None
    release: str | None = None
    attributes: dict[str, Any] | None = None


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    document: str
    heading: str
    line: int


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One line of what `match --jsonl` prints."""

    known_issue: str | None = None
    tier: Tier | None = None
    score: float | None = None
    evidence: tuple[Evidence, ...] = ()
    source: _Source | None = None


class _Refusal(msgspec.Struct, frozen=True, kw_only=True):
    known_issue: None = None
    error: str


def subject_of_line(line: Line) -> Subject:
    """The error that one line speaks of. Raises ValueError when it speaks of none."""
    text = both_ends(line.text or "")
    exception = None
    if line.exception_type or line.message:
        exception = ReportedException(
            type=line.exception_type or "", message=both_ends(line.message or "")
        )
    if not text.strip() and exception is None:
        raise ValueError("the line has neither text nor exception_type nor message")
    severity = parse_level(line.level)
    return subject_of(
        text,
        exception,
        service=line.service or "",
        level=severity.value if severity else str(line.level or ""),
        release=line.release or "",
        attributes=line.attributes or {},
    )


@click.command("match")
@click.option(
    "--catalogue",
    "catalogues",
    multiple=True,
    type=_DOCUMENTS,
    metavar="PATH",
    help="Only the documents of this file or folder, not the default ones. May be repeated.",
)
@click.option("--jsonl", is_flag=True, help="Read one JSON object a line, answer one a line.")
@click.option("--suggest", is_flag=True, help="When none is known, name what has words in common.")
@click.argument("files", nargs=-1, type=_INPUT, metavar="[FILE…|-]")
@click.pass_context
def match(
    ctx: click.Context, files: tuple[str, ...], *, catalogues: _Paths, jsonl: bool, suggest: bool
) -> None:
    """Print the known issue behind each error in FILE, or in what comes by standard input.

    Without --jsonl every file is one error, and the fix is printed for people. With it every line
    is one: {"text", "exception_type"?, "message"?, "service"?, "level"?, "attributes"?}.

    Exit code: 0 when something matched, 3 when nothing did, 2 when something could not be read.
    """
    matcher = _matcher(catalogues)
    matched = (
        _match_lines(files or ("-",), matcher)
        if jsonl
        else _match_files(files or ("-",), matcher, suggest=suggest)
    )
    ctx.exit(0 if matched else NOTHING_MATCHED)


def _matcher(catalogues: _Paths) -> Matcher:
    compiled = read_documents(catalogues) if catalogues else default_catalogue()
    for problem in compiled.problems:
        click.echo(f"{problem.document}:{problem.line}: {problem.reason}", err=True)
    if not compiled.issues:
        raise click.UsageError(f"no known issue stands in {', '.join(map(str, catalogues))}")
    return compile_matcher(compiled.issues)


def _match_files(files: tuple[str, ...], matcher: Matcher, *, suggest: bool) -> bool:
    # Imported late: whoever asks for lines needs no terminal.
    from rich.console import Console  # noqa: PLC0415

    from app.catalogue.telling import tell  # noqa: PLC0415

    console = Console(highlight=False)
    matched = False
    for n, name in enumerate(files):
        found = matcher.match(subject_of(text_of(name)), suggest=suggest)
        matched = matched or any(one.tier is not Tier.SUGGESTED for one in found)
        if len(files) > 1:
            console.print("\n" * (n > 0) + f"== {name}", markup=False)
        tell(console, found, matcher.issues)
    return matched


def _match_lines(files: tuple[str, ...], matcher: Matcher) -> bool:
    matched = False
    for name in files:
        for line in lines_of(name):
            answer = _answer(line, matcher)
            matched = matched or answer.known_issue is not None
            click.echo(msgspec.json.encode(answer))  # flushes: the sender may wait for it
    return matched


def _answer(line: bytes, matcher: Matcher) -> _Answer | _Refusal:
    try:
        found = matcher.match(subject_of_line(_decoded(line)))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return _Refusal(error=str(error))
    return _answer_of(found[0], matcher.issues) if found else _Answer()


def _decoded(line: bytes) -> Line:
    if len(line) > MOST_LINE:
        raise ValueError(f"the line is longer than {MOST_LINE:,} bytes")
    return msgspec.json.decode(line, type=Line)


def _answer_of(best: Match, known: dict[str, KnownIssue]) -> _Answer:
    place = known[best.known_issue_id].provenance
    return _Answer(
        known_issue=best.known_issue_id,
        tier=best.tier,
        score=best.score,
        evidence=best.evidence,
        source=_Source(
            document=place.document, heading=place.heading_path[-1], line=place.first_line
        ),
    )


@click.group("catalogue")
def catalogue() -> None:
    """The documents that known issues are made from."""


_PATHS = click.argument("paths", nargs=-1, required=True, type=_DOCUMENTS, metavar="PATH…")


@catalogue.command("check")
@_PATHS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def check(ctx: click.Context, paths: _Paths, *, as_json: bool) -> None:
    """Compile documents and hold each entry against its own samples and near misses.

    Exit code: 0 when all is well, 1 when there are problems, 2 when a path cannot be read.
    """
    compiled = _compile(paths)
    without = [issue for issue in compiled.issues if issue.rules is None]
    borrowed = default_lexicon().counterparts(without) if without else {}
    ways = ways_found(compiled.issues, borrowed)
    problems = (*compiled.problems, *violations(compile_matcher(compiled.issues)))
    if as_json:
        entries = [_entry(issue, ways[issue.known_issue_id]) for issue in compiled.issues]
        click.echo(msgspec.json.encode({"entries": entries, "problems": problems}))
    else:
        _print_check(compiled.issues, ways, problems)
    ctx.exit(PROBLEMS_FOUND if problems else 0)


def _compile(paths: _Paths) -> Compiled:
    """The documents below these paths, called as they were given, so that an editor finds them."""
    files = sorted({file for path in paths for file in files_of(path)})
    if not files:
        raise click.UsageError(f"no document stands in {', '.join(map(str, paths))}")
    return compile_together(_called(str(file), compile_file(file)) for file in files)


def _called(name: str, compiled: Compiled) -> Compiled:
    renamed = msgspec.structs.replace
    return Compiled(
        issues=tuple(
            renamed(issue, provenance=renamed(issue.provenance, document=name))
            for issue in compiled.issues
        ),
        problems=tuple(renamed(problem, document=name) for problem in compiled.problems),
    )


def _entry(issue: KnownIssue, way: str) -> dict[str, Any]:
    return {
        "known_issue": issue.known_issue_id,
        "title": issue.title,
        "document": issue.provenance.document,
        "line": issue.provenance.first_line,
        "found_by": way,
        "samples": len(issue.samples),
        "near_misses": len(issue.near_misses),
    }


def _print_check(
    issues: tuple[KnownIssue, ...], ways: dict[str, str], problems: tuple[Problem, ...]
) -> None:
    for document, entries in groupby(issues, key=lambda issue: issue.provenance.document):
        found = list(entries)
        click.echo(f"{document}: {_counted(len(found), 'known issue')}")
        for issue in found:
            name = issue.known_issue_id
            click.echo(f"  {issue.provenance.first_line:>5}  {name}, found by {ways[name]}")
    for problem in problems:
        click.echo(f"{problem.document}:{problem.line}: {problem.reason}")
    click.echo(f"{_counted(len(issues), 'known issue')}, {_counted(len(problems), 'problem')}")


def _counted(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


@catalogue.command("export")
@_PATHS
@click.option(
    "--json", is_flag=True, expose_value=False, help="One JSON object a line: the default."
)
def export(paths: _Paths) -> None:
    """Print the compiled entries of documents with all their fields, one JSON object a line.

    Exit code: 0, 1 when something in them could not be used, 2 when a path cannot be read.
    """
    compiled = read_documents(paths)
    for issue in compiled.issues:
        click.echo(msgspec.json.encode(issue))
    for problem in compiled.problems:
        click.echo(f"{problem.document}:{problem.line}: {problem.reason}", err=True)
    sys.exit(PROBLEMS_FOUND if compiled.problems else 0)
