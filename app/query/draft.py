"""A catalogue entry begun from an error that no document explains. Pure."""

import json
import re
from collections.abc import Sequence

from app.query.incident_views import SampleChain
from app.query.views import SignatureView

WHAT_TO_DO = "[what to do]"
"""Stands in a draft for the fix, which only people know."""
_PLACEHOLDER = re.compile(r"<[a-z0-9]+>")
_LEAST_WORDS = 4


def draft_entry(signature: SignatureView, chains: Sequence[SampleChain]) -> str:
    """Markdown that compiles as it is; what only people know is left to them in brackets."""
    services = sorted({service for chain in chains for service in chain.services})
    lines = [
        f"## {signature.title} {{#{name_of_draft(signature)}}}",
        "Severity: medium",
        "",
        "### Symptoms",
        "",
        *_indented(signature.sample),
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
        *_rule(signature),
        "```",
        "",
        "### Samples",
        "```text sample",
        signature.sample.replace("```", "'''"),
        "```",
    ]
    return "\n".join(lines) + "\n"


def name_of_draft(signature: SignatureView) -> str:
    """An entry id out of the title."""
    name = re.sub(r"[^a-z0-9]+", "-", _PLACEHOLDER.sub("", signature.title).lower())
    return name.strip("-")[:60].strip("-") or "draft"


def _span(signature: SignatureView) -> str:
    return f"{signature.first_seen:%Y-%m-%d %H:%M} to {signature.last_seen:%Y-%m-%d %H:%M} UTC"


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.splitlines()[:40]]


def _rule(signature: SignatureView) -> list[str]:
    """The type, and the longest piece of the message in which nothing varies."""
    pieces = (piece.strip() for piece in _PLACEHOLDER.split(signature.message))
    longest = max(pieces, key=len, default="")
    rule = []
    if signature.exception_type:
        rule.append(f"exception: {json.dumps(signature.exception_type)}")
    if longest and (len(longest) >= _LEAST_WORDS or not rule):
        rule.append(f"message: {json.dumps(longest, ensure_ascii=False)}")
    return rule or [f"text: {json.dumps(signature.title, ensure_ascii=False)}"]
