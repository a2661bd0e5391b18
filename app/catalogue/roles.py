"""What a heading or a bold label announces: symptoms, causes, a fix, a lesson, files."""

import enum
import re
from typing import Final


class Role(enum.StrEnum):
    """A part of a known issue."""

    SYMPTOMS = "symptoms"
    CAUSES = "causes"
    FIX = "fix"
    LESSON = "lesson"
    CAUTION = "caution"
    FILES = "affected files"
    RULES = "rules"
    SAMPLES = "samples"
    ASIDE = "aside"
    """References, metrics and the like: belongs to the entry, says nothing of the error."""


# Teams name one thing in many ways; the words are compared without articles, numbers and emoji.
_WORDS: Final = {
    Role.SYMPTOMS: (
        "symptom", "symptoms", "problem", "problems", "issue", "error", "errors",
        "error encountered", "error message", "error messages", "errors seen", "what happened",
        "what broke", "what we saw", "observed", "observed behavior", "observed behaviour",
        "actual behavior", "initial issue", "specific example", "example", "impact", "description",
        "bug", "incident", "signs", "how it shows", "vulnerable code", "old api", "challenge",
        "initial challenge", "manifestation",
    ),
    Role.CAUSES: (
        "cause", "causes", "root cause", "root causes", "possible causes", "likely causes",
        "probable cause", "context", "background", "why", "why it happens", "why it happened",
        "reason", "reasons", "diagnosis", "analysis", "initial approach", "explanation",
        "contributing factors",
    ),
    Role.FIX: (
        "fix", "fixes", "fixed", "solution", "solutions", "proposed solution", "resolution",
        "resolutions", "resolved by", "workaround", "workarounds", "current workarounds",
        "current fixes", "proper solutions", "proper solutions to consider", "how to fix",
        "how we fixed it", "how i fixed it", "mitigation", "remedy", "remediation", "what to do",
        "action items", "actions", "next steps", "steps", "steps to fix", "still need to fix",
        "correction", "repair", "recommended fix", "troubleshooting steps", "what we changed",
        "new api", "implementation pattern",
    ),
    Role.LESSON: (
        "lesson", "lessons", "lesson learned", "lessons learned", "takeaway", "takeaways",
        "key takeaway", "key takeaways", "prevention", "why this matters", "what we learned",
    ),
    Role.CAUTION: ("caution", "warning", "careful", "caveat", "caveats", "risks", "side effects"),
    Role.FILES: (
        "files", "affected files", "files affected", "files modified", "modified files",
        "files changed", "changed files", "affected areas", "affected components",
        "affected services", "affected", "areas affected",
    ),
    Role.RULES: ("rules", "rule"),
    Role.SAMPLES: ("samples", "sample"),
    Role.ASIDE: (
        "references", "reference", "see also", "links", "related", "result", "results", "metrics",
        "verification", "usage", "timeline", "owner", "status", "severity", "priority", "tags",
    ),
}  # fmt: skip
_BY_WORDS: Final = {word: role for role, words in _WORDS.items() for word in words}
_NUMBERING: Final = re.compile(r"^(?:\d+[.)]\s*)+")
_EDGES: Final = re.compile(r"^[\W_]+|[\W_]+$")
_ARTICLE: Final = re.compile(r"^(?:the|our|a|an)\s+")
_IN_PARENTHESES: Final = re.compile(r"\s*\([^()]*\)")


def role_of(title: str) -> Role | None:
    """The role a heading or label announces, or None when it is a title of its own."""
    words = _IN_PARENTHESES.sub("", title.lower())
    words = _EDGES.sub("", _NUMBERING.sub("", _EDGES.sub("", words)))
    return _BY_WORDS.get(_ARTICLE.sub("", words))
