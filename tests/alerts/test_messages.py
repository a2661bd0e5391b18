"""What messages say, and what they cannot be made to say."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.alerts.messages import (
    FIX_LINES,
    Alert,
    Facts,
    IncidentFacts,
    KnownIssueNote,
    alert_for_test,
    alert_of,
    first_lines,
    summary_of,
)
from app.alerts.model import WITHOUT_INCIDENT, Details, Event
from app.alerts.slack import LONGEST_SECTION, escape, slack_body
from app.incidents.tables import EventKind

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)
INCIDENT = UUID(int=7)
NOTE = KnownIssueNote(known_issue_id="raw-sql", title="Raw SQL", fix="Use text()", document="a.md")
FACTS = Facts(
    incidents={
        INCIDENT: IncidentFacts(
            title="ArgumentError", root_services=("payment",), services=("order", "payment"),
            environments=("production",), releases=("1.2",), known_issue_id="raw-sql",
        )
    },
    issues={"raw-sql": NOTE},
)  # fmt: skip
NOTHING = Facts(incidents={}, issues={})


def alert(kind: EventKind, facts: Facts = FACTS, public_url: str = "", **said: Any) -> Alert:
    named = None if kind in WITHOUT_INCIDENT else INCIDENT
    event = Event(
        event_id=uuid4(), kind=kind, happened_at=AT, incident_id=named, details=Details(**said)
    )
    return alert_of(event, facts, public_url=public_url)


def shown(body: dict[str, Any]) -> str:
    return "\n".join([body["text"], *(block["text"]["text"] for block in body["blocks"])])


def test_what_an_event_does_not_say_comes_from_its_incident() -> None:
    data = alert(EventKind.RESOLVED, note="rolled back", release="1.3").data

    assert (data.title, data.root_service) == ("ArgumentError", "payment")
    assert data.known_issue == NOTE
    assert (data.note, data.release, data.environments) == ("rolled back", "1.3", ("production",))


def test_links_lead_to_the_public_address_and_without_one_there_are_none() -> None:
    there = "https://sentinel.test"
    rate = alert(EventKind.ISSUE_RATE, public_url=there, known_issue_id="raw/sql")

    assert alert(EventKind.OPENED, public_url=there).data.link.startswith(f"{there}/api/incidents/")
    assert rate.data.link == f"{there}/api/known-issues/raw%2Fsql"
    assert alert(EventKind.OPENED).data.link == ""


def test_a_gap_and_a_rate_say_their_numbers() -> None:
    gap = alert(EventKind.GAP, service="payment", instance="a", ranges=((3, 4), (9, 9)), records=3)
    rate = alert(EventKind.ISSUE_RATE, known_issue_id="raw-sql", chains=120, threshold=100)

    assert gap.type == "sender.gap"
    assert "3 of payment a" in shown(slack_body(gap))
    assert "3 to 4" in shown(slack_body(gap))
    assert rate.type == "known_issue.rate"
    assert "120 chains in an hour; told from 100" in shown(slack_body(rate))
    assert "Raw SQL" in shown(slack_body(rate))


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_has_its_heading_in_slack(kind: EventKind) -> None:
    body = slack_body(alert(kind))

    assert "Alert" not in body["text"]
    assert all(block["text"]["verbatim"] for block in body["blocks"])


def test_slack_shows_the_title_the_service_the_fix_and_a_link() -> None:
    said = shown(slack_body(alert(EventKind.OPENED, public_url="https://sentinel.test")))

    for part in ("Incident opened", "ArgumentError", "payment", "Raw SQL", "> Use text()"):
        assert part in said
    assert f"<https://sentinel.test/api/incidents/{INCIDENT}|Open in ProdSentinel>" in said


NASTY = st.text() | st.sampled_from(
    ["<!channel>", "<!everyone|x>", "<@U123>", "<#C1|x>", "<https://evil.test|ok>", "@here",
     "@channel @everyone", "&lt;!channel&gt;", "<!subteam^S1>", "*_~`>", "&" * 3000]
)  # fmt: skip


@given(NASTY, NASTY, NASTY, NASTY)
def test_nothing_from_telemetry_calls_anybody_or_becomes_a_link(
    title: str, service: str, note: str, fix: str
) -> None:
    issue = msgspec.structs.replace(NOTE, title=title, fix=fix)
    facts = Facts(incidents={}, issues={"raw-sql": issue})
    body = slack_body(
        alert(EventKind.OPENED, facts, title=title, root_service=service, services=(service,),
              environments=(service,), releases=(note,), note=note, known_issue_id="raw-sql")
    )  # fmt: skip

    said = shown(body)
    assert "<" not in said
    assert not any(f"@{name}" in said.lower() for name in ("channel", "here", "everyone"))
    assert all(0 < len(block["text"]["text"]) <= LONGEST_SECTION for block in body["blocks"])
    assert msgspec.json.encode(body)


@given(st.text(max_size=400))
def test_escaped_text_reads_as_it_was(text: str) -> None:
    plain = escape(text).replace("\N{WORD JOINER}", "")
    plain = plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")

    assert plain == text.replace("\N{WORD JOINER}", "")


def test_a_summary_counts_and_a_test_says_what_it_is() -> None:
    summary = summary_of({"resolved": 2, "opened": 1234}, at=AT, public_url="https://s.test")

    assert summary.data.title.startswith("1,236 more messages")
    assert "opened: 1,234" in shown(slack_body(summary))
    assert summary.data.link == "https://s.test/api/incidents"
    assert alert_for_test("team", at=AT, public_url="").type == "alerts.test"


@given(st.text())
def test_of_a_fix_the_first_lines_are_told(fix: str) -> None:
    found = first_lines(fix)

    assert len(found) <= 600
    assert found.count("\n") < FIX_LINES + found.count("\r")


def test_blank_lines_are_left_out_of_a_fix() -> None:
    assert first_lines("one\n\n  \r\ntwo\n" + "more\n" * 9).split("\n")[:3] == [
        "one",
        "two",
        "more",
    ]


def test_the_shape_is_what_it_was() -> None:
    """Whoever reads messages relies on it: a change of meaning is a new version."""
    body = msgspec.to_builtins(alert(EventKind.OPENED, NOTHING, title="x"))

    assert body == {
        "version": 1, "id": "", "type": "incident.opened", "timestamp": "2026-07-01T12:00:00Z",
        "data": {
            "kind": "opened", "incident_id": str(INCIDENT), "title": "x", "root_service": "",
            "services": (), "environments": (), "releases": (), "known_issue": None, "link": "",
            "done_by": "", "note": "", "release": "", "gap": None, "rate": None, "canary": {},
            "counts": {},
        },
    }  # fmt: skip
