"""What the pages of log records are made of: addresses, cells, terms, traces."""

import shlex
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.normalise.record import ReportedException, Severity
from app.pages.log_asking import USUAL_COLUMNS, LogsAsked, columns_of
from app.pages.log_live import read_events
from app.pages.log_narrowing import term_for
from app.pages.log_rows import cell_of
from app.pages.log_trouble import point
from app.pages.record_errors import errors_in
from app.query.attributes import flat
from app.query.live_events import skipped
from app.query.log_views import LogView
from app.query.search import parse_search, to_text

_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
_COLUMNS = st.lists(st.sampled_from(["level", "service", "span", "attr.a,b c", "attr.é&="]))


@given(q=_TEXTS, since=_TEXTS, columns=_COLUMNS, wrap=st.booleans(), live=st.booleans())
def test_an_address_asks_for_what_it_was_made_of(
    q: str, since: str, columns: list[str], wrap: bool, live: bool
) -> None:
    asked = LogsAsked(q=q, since=since, columns=columns_of(columns), wrap=wrap, live=live)

    pairs = parse_qsl(urlsplit(asked.address()).query, keep_blank_values=True)
    named = [value for name, value in pairs if name == "columns"]
    given_back = dict(pairs)

    assert (given_back.get("q", ""), given_back.get("from", "")) == (q, since)
    assert columns_of(named or None) == asked.columns
    assert (given_back.get("wrap") == "yes", given_back.get("live") == "yes") == (wrap, live)


def test_columns_that_are_none_are_left_out() -> None:
    assert columns_of(None) == USUAL_COLUMNS
    assert columns_of(["", "attr.", "shoe size", "service", "service"]) == ("service",)


@given(q=_TEXTS)
def test_the_command_hands_the_search_on_as_it_is(q: str) -> None:
    words = shlex.split(LogsAsked(q=q, since="-1h").command())

    assert words[:3] == ["prodsentinel", "logs", "--from=-1h"]
    assert (words[-1] if q else "") == q
    assert ("--" in words[:-1]) == q.startswith("-")


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("level", "ERROR"),
        ("service", "payment"),
        ("release", ""),
        ("attr.order", "o-17"),
        ("attr.http.status", "503"),
        ("attr.a.b", "the key itself"),
        ("attr.list", "[1,2]"),
        ("attr.nothing", ""),
    ],
)
def test_a_cell_shows_what_a_search_would_find(column: str, cell: str) -> None:
    assert cell_of(record(), column) == cell


@given(value=_TEXTS, field=st.sampled_from(["service", "release", "instance", "attr.x y"]))
def test_a_value_that_is_clicked_is_searched_as_it_is(value: str, field: str) -> None:
    term = term_for(field, value)

    assert (term is None) == (value == "")
    assert term is None or parse_search(to_text(term)) == term


@given(text=_TEXTS, column=st.integers(1, 60))
def test_what_is_pointed_at_stands_at_its_column(text: str, column: int) -> None:
    pointed = point(text, column)
    line = pointed.before + pointed.at + pointed.behind

    assert "\n" not in line
    assert len(pointed.at) == 1
    if column <= len(text) and text.isprintable():
        assert pointed.at == text[column - 1]


def test_nested_attributes_have_the_names_that_a_search_gives_them() -> None:
    values = {"http": {"status": 503, "more": {}}, "plain": None}

    assert dict(flat(values)) == {"http.status": 503, "http.more": {}, "plain": None}


def test_the_cause_is_told_first_and_the_teams_own_calls() -> None:
    raised = errors_in("failed", ReportedException(stacktrace=STACK))

    assert [error.type for error in raised] == ["KeyError", "app.errors.OrderLost"]
    assert [call.function for call in raised[0].own] == ["load"]
    assert (raised[0].own[0].module, raised[0].own[0].line) == ("/srv/app/orders.py", 12)
    assert len(raised[0].library) == 1


def test_a_plain_message_has_no_error() -> None:
    assert errors_in("GET /orders/17 200", None) == ()


def record(**fields: Any) -> LogView:
    moment = datetime(2026, 11, 20, 12, tzinfo=UTC)
    plain: dict[str, Any] = dict.fromkeys(
        ("environment", "release", "instance", "span_id", "parent_span_id", "sequence",
         "signature_id", "exception")
    )  # fmt: skip
    attributes = {"order": "o-17", "http": {"status": 503}, "a.b": "the key itself", "list": [1, 2]}
    return LogView(
        **{
            **plain, "correlation_id": "c-1", "record_id": UUID(int=1), "occurred_at": moment,
            "received_at": moment, "service": "payment", "level": Severity.ERROR,
            "message": "declined", "attributes": attributes, "annotations": (), **fields,
        }
    )  # fmt: skip


STACK = """Traceback (most recent call last):
  File "/srv/app/orders.py", line 12, in load
    return cache.get(key)
  File "/usr/lib/python3.11/site-packages/cachelib/core.py", line 40, in get
    return self.data[key]
KeyError: 'o-17'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/app/orders.py", line 20, in show
    raise OrderLost(key)
app.errors.OrderLost: o-17
"""


def test_events_of_the_tail_are_taken_apart_without_a_loss() -> None:
    one, other = record(message="a\n\nb"), record(service="gateway")
    lost = skipped(3, "too many at once")
    payload = b"".join([
        b"retry: 2000\nid: first\n\n",
        lost,
        b"id: c-1\ndata: " + msgspec.json.encode(one) + b"\n\n",
        b"id: c-2\ndata: " + msgspec.json.encode(other) + b"\n\n",
    ])  # fmt: skip

    came = read_events(payload)

    assert came.records == (one, other)
    assert came.place == "c-2"
    assert came.others == b"retry: 2000\nid: first\n\n" + lost
