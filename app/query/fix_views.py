"""The shapes in which a reader gets a fix with all that speaks for it and against it."""

from datetime import datetime

import msgspec

from app.catalogue.model import Verdict
from app.query.views import MatchView


class VerdictView(msgspec.Struct, frozen=True, kw_only=True):
    """What an engineer said of a pairing."""

    known_issue_id: str
    verdict: Verdict
    decided_by: str
    """Empty: somebody who gave no name."""
    note: str
    decided_at: datetime


class FixView(msgspec.Struct, frozen=True, kw_only=True):
    match: MatchView | None
    """As the incident shows it."""
    error: str
    """Everything the sender wrote of the first such error: message, exception, stack."""
    symptoms: str
    """Of the entry, in the version that is shown: Markdown."""
    is_judged: bool
    """Whether people can judge it: the match of a signature; not what holds for a chain."""
    others: tuple[MatchView, ...]
    """Entries that also hold and that nobody rejected, each with why it is not the first."""
    suggestions: tuple[MatchView, ...]
    """Entries with words in common, when they were asked for."""
    verdicts: tuple[VerdictView, ...]
    """All that was said of this error, newest first."""
