"""A catalogue entry begun from an error that no document explains. Pure."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from app.catalogue.checking import violations
from app.catalogue.documents import compile_document
from app.catalogue.matcher import Matcher
from app.catalogue.rules import Subject
from app.query.incident_views import SampleChain
from app.query.views import SignatureView

WHAT_TO_DO: Final = "[what to do]"
"""Stands in a draft for the fix, which only people know."""
LONGEST_SAMPLE: Final = 20_000
"""Characters; of a longer error the draft holds both ends."""
_LONGEST_LITERAL: Final = 200
_PLACEHOLDER: Final = re.compile(r"<[a-z0-9]+>")
_LEAST_WORDS: Final = 4
_NAMELESS: Final = "An error without words"
_FENCE: Final = re.compile(r"`{3,}")
_NOT_IN_YAML: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def draft_entry(signature: SignatureView, chains: Sequence[SampleChain], error: Subject) -> str:
    """Markdown that compiles as it is; what only people know is left to them in brackets.

    `error` is what the matcher sees of the first such error. The rule is the most telling of a
    few that hold for it; its text is the sample, for which the rule holds, too.
    """
    sample = _sample(error.text)
    drafts = [_written(signature, chains, sample, rule) for rule in _rules(signature, sample)]
    return next((draft for draft in drafts if _holds(draft, error)), drafts[-1])


def name_of_draft(signature: SignatureView) -> str:
    """An entry id out of the title."""
    name = re.sub(r"[^a-z0-9]+", "-", _PLACEHOLDER.sub("", signature.title).lower())
    return name.strip("-")[:60].strip("-") or "draft"


def _written(
    signature: SignatureView, chains: Sequence[SampleChain], sample: str, rule: list[str]
) -> str:
    services = sorted({service for chain in chains for service in chain.services})
    title = " ".join(signature.title.split()) or _NAMELESS
    fence = _fence_around(sample)
    lines = [
        f"## {title} {{#{name_of_draft(signature)}}}",
        "Severity: medium",
        "",
        "### Symptoms",
        "",
        *_indented(sample),
        "",
        f"Seen {signature.records:,} times, {_span(signature)}, in {', '.join(services) or '?'}.",
        *(f"Raised in `{signature.culprit}`." for _ in range(bool(signature.culprit))),
        *(f"- chain `{c.correlation_id}`: {' → '.join(c.services)}" for c in chains),
        "",
        "### Causes",
        "[why it happens]",
        "",
        "### Fix",
        WHAT_TO_DO,
        "",
        "### Rules",
        "```yaml rule",
        *rule,
        "```",
        *(["", "### Samples", f"{fence}text sample", sample, fence] if sample.strip() else []),
    ]
    return "\n".join(lines) + "\n"


def _holds(draft: str, error: Subject) -> bool:
    """Whether the draft explains its error, and passes what `catalogue check` asks of it."""
    compiled = compile_document("draft.md", draft)
    matcher = Matcher(compiled.issues)
    return not compiled.problems and bool(matcher.match(error)) and not any(violations(matcher))


def _span(signature: SignatureView) -> str:
    return f"{signature.first_seen:%Y-%m-%d %H:%M} to {signature.last_seen:%Y-%m-%d %H:%M} UTC"


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.splitlines()[:40]]


def _sample(text: str) -> str:
    """The lines as a document has them: they end in LF alone, and none is empty at its end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    half = LONGEST_SAMPLE // 2
    return text if len(text) <= LONGEST_SAMPLE else f"{text[:half]}\n{text[-half:]}"


def _fence_around(text: str) -> str:
    """Longer than every fence in the text."""
    return "`" * max((len(found) + 1 for found in _FENCE.findall(text)), default=3)


def _rules(signature: SignatureView, sample: str) -> Iterator[list[str]]:
    """From the type with the longest piece of the message in which nothing varies to less."""
    raised = [_line("exception", signature.exception_type)] if signature.exception_type else []
    pieces = (piece.strip() for piece in _PLACEHOLDER.split(signature.message))
    longest = max(pieces, key=len, default="")
    if len(longest) >= _LEAST_WORDS or (longest and not raised):
        yield [*raised, _line("message", longest)]
        if raised:
            yield [*raised, _line("text", longest)]
            # Not every type is known for one by its name; as written it is as telling.
            yield [_line("text", f"{signature.exception_type}: {longest}")]
        yield [_line("text", longest)]
    elif raised:
        yield raised
    said = max(sample.splitlines(), key=len, default="").strip()[:_LONGEST_LITERAL]
    yield [_line("text", said or signature.title or _NAMELESS)]


def _line(name: str, value: str) -> str:
    """YAML takes what JSON writes, but for some characters that it wants escaped."""
    written = _NOT_IN_YAML.sub(_escaped, json.dumps(value, ensure_ascii=False))
    return f"{name}: {written}"


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
