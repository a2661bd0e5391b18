"""What the catalogue knows of an error, for people on a terminal or in a pipe."""

import re
from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.text import Text

from app.catalogue.model import Evidence, KnownIssue, Match, Tier

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""A log or a document could steer the terminal with these."""
_LONGEST: Final = 160
_INDENT: Final = (0, 0, 0, 2)


def tell(console: Console, found: list[Match], known: dict[str, KnownIssue]) -> None:
    """The first match whole, the others by name; suggestions as what they are; or that none is."""
    if not found or found[0].tier is Tier.SUGGESTED:
        console.print(f"No known issue explains this error; {len(known)} were looked at.")
        _tell_suggestions(console, found, known)
        return
    first, *others = found
    _tell_issue(console, first, known[first.known_issue_id])
    for match in others:
        _say(console, f"Also: {known[match.known_issue_id].title} ({match.known_issue_id}),")
        _say(console, f"  {match.tier}, {match.score:.2f}; {match.lost}")


def _tell_suggestions(console: Console, found: list[Match], known: dict[str, KnownIssue]) -> None:
    if found:
        console.print("Only suggestions, by words in common; none of them need have to do with it:")
    for match in found:
        issue = known[match.known_issue_id]
        _say(console, f"  {issue.title} ({match.known_issue_id}), {match.score:.2f}")
        _say(console, f"    {_place(issue)}; {match.evidence[0].quote}")


def _tell_issue(console: Console, match: Match, issue: KnownIssue) -> None:
    _say(console, f"Known issue: {issue.title}", style="bold")
    _say(console, f"{match.known_issue_id}, {match.tier}, score {match.score:.2f}")
    _head(console, "Why")
    for evidence in match.evidence:
        for line in _reason(evidence):
            _say(console, f"  {line}")
    if match.borrowed_from:
        _say(console, f"  by the rules of the default entry {match.borrowed_from}")
    _head(console, "Written in")
    _say(console, f"  {_place(issue)}")
    for title, text in (("Caution", issue.caution), ("Fix", issue.fix)):
        if text:
            _head(console, title)
            _tell_markdown(console, text)


def _reason(evidence: Evidence) -> Iterator[str]:
    yield _short(evidence.clause) + (f" (line {evidence.line})" if evidence.line else "")
    if evidence.quote:
        yield f"  in the error: {_short(evidence.quote)}"


def _place(issue: KnownIssue) -> str:
    place = issue.provenance
    path = " > ".join(place.heading_path)
    return f"{place.document}, {path}, lines {place.first_line}-{place.last_line}"


def _tell_markdown(console: Console, text: str) -> None:
    text = _CONTROL.sub("", text)
    if console.is_terminal:
        console.print(Padding(Markdown(text, hyperlinks=False), _INDENT))
    else:
        # As it was written: a pipe has no width to wrap it to.
        _say(console, "\n".join(f"  {line}".rstrip() for line in text.splitlines()))


def _head(console: Console, title: str) -> None:
    console.print()
    _say(console, title, style="bold")


def _say(console: Console, text: str, *, style: str = "") -> None:
    console.print(Text(_CONTROL.sub("", text), style=style), soft_wrap=not console.is_terminal)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
