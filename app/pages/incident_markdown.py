"""An incident as Markdown, to be put into a ticket or a chat. Pure."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, urlencode

from app.pages.incident_words import spoken_title, told
from app.pages.wording import exact, utc
from app.pages.writing import code, fenced, plain
from app.query.incident_views import IncidentView
from app.query.views import MatchView

CHAINS: Final = 5
EVENTS: Final = 20


def as_markdown(incident: IncidentView, *, base: str) -> str:
    """CommonMark; `base` is the address of the service without a slash at its end."""
    return "\n".join(
        [
            f"# {plain(spoken_title(incident))}",
            "",
            *_facts(incident, base),
            "",
            "## Error",
            "",
            fenced(f"{incident.title}\n{incident.signature.sample}"),
            "",
            *(_fix(incident.match, base) if incident.match else _no_fix(incident, base)),
            *_chains(incident, base),
            *_history(incident),
        ]
    )


def _facts(incident: IncidentView, base: str) -> Iterator[str]:
    yield f"- Incident: {base}/incidents/{incident.incident_id}"
    yield f"- Status: {incident.status.value}"
    services = ", ".join(map(code, incident.root_services))
    culprit = f" in {code(incident.culprit)}" if incident.culprit else ""
    yield f"- Root cause: {services}{culprit}"
    if incident.reasons:
        yield f"- Why the root ({incident.confidence}): {plain('; '.join(incident.reasons))}"
    yield f"- Failing chains: {exact(incident.chains)}, over {_names(incident.services)}"
    yield f"- Seen: {utc(incident.first_seen)} to {utc(incident.last_seen)}"
    if incident.releases:
        yield f"- Releases: {_names(incident.releases)}"
    if incident.environments:
        yield f"- Environments: {_names(incident.environments)}"


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(map(code, names[:10]))
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown  # noqa: PLR2004


def _fix(match: MatchView, base: str) -> Iterator[str]:
    place = match.source
    yield f"## Fix: {plain(match.title)}"
    yield ""
    yield (
        f"Known issue {code(match.known_issue_id)}, {match.tier.value}, {match.score:.2f}; from "
        f"{code(place.document)}, lines {place.first_line} to {place.last_line}:"
    )
    yield _address(match, base)
    yield ""
    yield match.fix or "The document says no fix."
    yield ""
    if match.caution:
        yield f"**Caution.** {match.caution}"
        yield ""
    yield "### Why it matches"
    yield ""
    for one in match.evidence:
        where = f" (line {one.line})" if one.line else ""
        yield f"- {code(one.clause)}{where}: {code(one.quote)}"
    yield ""


def _address(match: MatchView, base: str) -> str:
    """Of the page with these lines of the document."""
    cited = urlencode({"entry": match.known_issue_id, "version": match.version or 0})
    name = quote(match.source.document, safe="")
    return f"{base}/catalogue/documents/{name}?{cited}#line-{match.source.first_line}"


def _no_fix(incident: IncidentView, base: str) -> Iterator[str]:
    yield "## No known fix"
    yield ""
    yield (
        "No document explains this error. Begin an entry: "
        f"{base}/incidents/{incident.incident_id}/draft"
    )
    yield ""


def _chains(incident: IncidentView, base: str) -> Iterator[str]:
    if not incident.sample_chains:
        return
    yield "## Latest chains"
    yield ""
    for chain in incident.sample_chains[:CHAINS]:
        path = " → ".join(map(code, chain.services))
        yield f"- {base}/chains/{quote(chain.correlation_id, safe='')}: {path}"
    yield ""


def _history(incident: IncidentView) -> Iterator[str]:
    yield "## History"
    yield ""
    for event in incident.history[:EVENTS]:
        who = plain(event.done_by) or "ProdSentinel"
        note = event.details.get("note")
        said = f": {plain(str(note))}" if note else ""
        yield f"- {utc(event.happened_at)}, {who}: {plain(told(event))}{said}"
    yield ""
