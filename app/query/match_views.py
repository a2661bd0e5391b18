"""A match made just now -> the shape in which readers get it. Pure."""

from app.catalogue.matcher import Matcher
from app.catalogue.model import Match
from app.query.views import MatchView, Source


def live_match_view(match: Match, matcher: Matcher) -> MatchView:
    """With the words of the entry that the matcher holds."""
    issue = matcher.issues[match.known_issue_id]
    place = issue.provenance
    return MatchView(
        known_issue_id=issue.known_issue_id,
        title=issue.title,
        tier=match.tier,
        score=match.score,
        evidence=match.evidence,
        borrowed_from=match.borrowed_from,
        lost=match.lost,
        fix=issue.fix,
        caution=issue.caution,
        source=Source(
            document=place.document,
            heading_path=place.heading_path,
            first_line=place.first_line,
            last_line=place.last_line,
            origin=place.origin,
        ),
    )
