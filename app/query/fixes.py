"""A fix with what speaks for it: the error's words, other entries that hold, what people said."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.matcher import Matcher
from app.catalogue.matching import subject_of_sample
from app.catalogue.model import Verdict
from app.catalogue.queries import sample_of
from app.catalogue.rules import Subject
from app.query import fix_queries as queries
from app.query.fix_views import FixView, VerdictView
from app.query.match_views import live_match_view
from app.query.views import MatchView


async def read_fix(
    session: AsyncSession,
    signature_id: str,
    shown: MatchView | None,
    matcher: Matcher,
    *,
    suggest: bool,
) -> FixView:
    """What is known of the signature of an incident; `shown` is what the incident shows."""
    sample = await sample_of(session, signature_id)
    subject = subject_of_sample(sample or {"message": ""})
    verdicts = await queries.verdicts_of(session, signature_id)
    held = [live_match_view(match, matcher) for match in matcher.match(subject)]
    name = shown.known_issue_id if shown else ""
    symptoms = (
        await queries.symptoms_of(session, name, shown.version if shown else None) if name else ""
    )
    return FixView(
        match=shown,
        error=subject.text,
        symptoms=symptoms,
        is_judged=any(one.known_issue_id == name for one in held),
        others=_others(held, name, verdicts),
        suggestions=_suggested(matcher, subject, {name}) if suggest else (),
        verdicts=verdicts,
    )


def _others(
    held: list[MatchView], name: str, verdicts: tuple[VerdictView, ...]
) -> tuple[MatchView, ...]:
    rejected = {one.known_issue_id for one in verdicts if one.verdict is Verdict.REJECTED}
    return tuple(one for one in held if one.known_issue_id not in {name, *rejected})


def _suggested(matcher: Matcher, subject: Subject, without: set[str]) -> tuple[MatchView, ...]:
    found = (live_match_view(match, matcher) for match in matcher.suggest(subject))
    return tuple(one for one in found if one.known_issue_id not in without)
