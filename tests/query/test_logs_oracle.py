"""Any search finds what a small predicate in Python finds, on either kind of partition."""

import random
import re
from collections.abc import Sequence
from datetime import timedelta
from operator import eq, ge, gt, le, lt
from typing import Any

import asyncpg
import pytest
import re2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.database import Database
from app.normalise.record import Severity
from app.query.log_cursors import read_log_cursor
from app.query.search import Search, parse_search, to_text
from app.query.search.model import (
    And,
    Attribute,
    Column,
    Comparison,
    Everything,
    Field,
    Has,
    HasAttribute,
    Issue,
    Level,
    Not,
    Or,
    Pattern,
    Presence,
    Words,
)
from app.query.searching import Asked, search_page
from app.query.slices import Span
from tests.query.shelves import CLOSED, HOT, NOW, close_shelves, make_shelves, put, row

pytestmark = pytest.mark.anyio
WORDS = [
    "payment", "Order", "o-17", "o-18", "declined", "timeout", "/api/orders", "card", "17", "été",
    "a.b.c",
]  # fmt: skip
VALUES: list[Any] = [
    "o-17", "o-18", 17, 17.5, True, False, None, "17", "true", {"status": 500}, {"status": "500"},
]  # fmt: skip
RAISED: list[dict[str, Any]] = [
    {"type": "TypeError"},
    {"type": "store.CardDeclined", "message": "no Order"},
    {"type": "KeyError", "stacktrace": 'File "payment.py", line 17\n  order o-18\nKeyError'},
    {"stacktrace": [{"function": "pay", "module": "été/card.py", "line": 17, "source": "a.b()"}]},
    {
        "stacktrace": [
            {"function": "pay", "module": "a\\b.py", "line": 18, "source": "\tthrow order"},
            {"function": "<card>", "module": "?", "line": None, "source": None},
        ]
    },
]
NAMES = ["order_id", "http", "http.status", "n"]
LEVELS = list(Severity)


def make_rows() -> list[dict[str, Any]]:
    dice = random.Random(7)  # noqa: S311 - many records, not secret ones
    rows = []
    for n in range(400):
        moment = (CLOSED if n % 2 else HOT) + timedelta(seconds=dice.randrange(7_000) // 10)
        level = dice.choice(LEVELS)
        fields = {
            "service": dice.choice(["payment", "payments", "gateway"]),
            "level": level.value,
            "message": " ".join(dice.choices(WORDS, k=dice.randrange(1, 7))),
            "environment": dice.choice(["prod", "test", None]),
            "release": dice.choice(["1.2", "1.20", None]),
            "signature_id": dice.choice(["v1:a", "v1:b"]) if level.is_error else None,
            "attributes": {name: dice.choice(VALUES) for name in dice.sample(NAMES, 2)},
        }
        if level.is_error and dice.random() < 0.5:
            fields["exception"] = dice.choice(RAISED)
        rows.append(row(n, moment, **fields))
    return rows


ROWS = make_rows()
COMPARE = dict(zip(Comparison, (eq, lt, le, gt, ge), strict=True))


def tokens(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def holds_words(message: str, wanted: Words) -> bool:
    asked, said = tokens(wanted.text), tokens(message)
    for start in range(len(said) - len(asked) + 1):
        here = said[start : start + len(asked)]
        if here[:-1] == asked[:-1] and (
            here[-1].startswith(asked[-1]) if wanted.is_prefix else here[-1] == asked[-1]
        ):
            return True
    return False


def searched_text(record: dict[str, Any]) -> str:
    """What is said, then what was raised: its type, its message, its stack."""
    raised = record.get("exception", {})
    stack = raised.get("stacktrace", "")
    if not isinstance(stack, str):
        stack = "\n".join(
            f"{frame['module']} {frame['function']}\n{frame['source'] or ''}" for frame in stack
        )
    return "\n".join([record["message"], raised.get("type", ""), raised.get("message", ""), stack])


def values_at(attributes: dict[str, Any], name: str) -> list[Any]:
    first, _, rest = name.partition(".")
    inner = attributes.get(first)
    nested = [inner[rest]] if rest and isinstance(inner, dict) and rest in inner else []
    return ([attributes[name]] if name in attributes else []) + nested


def as_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return '{"status": "500"}' if isinstance(value["status"], str) else '{"status": 500}'
    return None if value is None else str(value)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def holds_attribute(record: dict[str, Any], wanted: Attribute) -> bool:
    found = values_at(record["attributes"], wanted.name)
    if wanted.comparison is not Comparison.EQUAL:
        compare = COMPARE[wanted.comparison]
        return any(is_number(one) and compare(one, float(wanted.value)) for one in found)
    if wanted.is_prefix:
        return any((as_text(one) or "").startswith(wanted.value) for one in found)
    return any(
        one == wanted.value
        or (not isinstance(one, str | dict) and (as_text(one) or "null") == wanted.value)
        for one in found
    )


def holds(record: dict[str, Any], search: Search) -> bool:  # noqa: C901, PLR0911, PLR0912 - one line for each kind
    match search:
        case Everything():
            return True
        case And():
            return all(holds(record, part) for part in search.parts)
        case Or():
            return any(holds(record, part) for part in search.parts)
        case Not():
            return not holds(record, search.part)
        case Words():
            return holds_words(searched_text(record), search)
        case Pattern():
            return bool(re2.search(search.pattern, record["message"]))
        case Field():
            value = record.get(search.column.value)
            begins = value is not None and value.startswith(search.value)
            return begins if search.is_prefix else value == search.value
        case Level():
            at, wanted = LEVELS.index(Severity(record["level"])), LEVELS.index(search.severity)
            return bool(COMPARE[search.comparison](at, wanted))
        case Issue():
            return False
        case Attribute():
            return holds_attribute(record, search)
        case HasAttribute():
            return bool(values_at(record["attributes"], search.name))
        case Has(what=Presence.EXCEPTION):
            return "exception" in record
        case Has(what=Presence.SIGNATURE):
            return record["signature_id"] is not None
        case _:
            return record.get(search.what.value) is not None


_phrases = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)


def _fields(column: Column, *values: str) -> st.SearchStrategy[Search]:
    return st.builds(
        Field, column=st.just(column), value=st.sampled_from(values), is_prefix=st.booleans()
    )


_names = st.sampled_from([*NAMES, "http.status.x"])
_presences = [Presence.EXCEPTION, Presence.SIGNATURE, Presence.RELEASE, Presence.ENVIRONMENT]
_beginnings = st.sampled_from(["pay", "o-1", "card dec", "ET", "/api/or"])
_terms: st.SearchStrategy[Search] = st.one_of(
    st.builds(Words, text=_phrases),
    st.builds(Words, text=st.sampled_from(["no order", "module", "py pay", "throw", "null"])),
    st.builds(Words, text=_beginnings, is_prefix=st.just(True)),
    _fields(Column.SERVICE, "payment", "gate"),
    _fields(Column.RELEASE, "1.2", "1.20", "%"),
    _fields(Column.CORRELATION, "c-3", "c-", "C-3"),
    _fields(Column.SIGNATURE, "v1:a", "v1:"),
    st.builds(Level, severity=st.sampled_from(LEVELS), comparison=st.sampled_from(Comparison)),
    st.builds(Issue, known_issue_id=st.just("raw-sql-text")),
    st.builds(
        Attribute,
        name=_names,
        value=st.sampled_from(["o-17", "17", "17.5", "true", "null", "500"]),
    ),
    st.builds(
        Attribute, name=_names, value=st.sampled_from(["o-", "1", "tr"]), is_prefix=st.just(True)
    ),
    st.builds(
        Attribute,
        name=_names,
        value=st.sampled_from(["17", "17.2", "-1"]),
        comparison=st.sampled_from(Comparison),
    ),
    st.builds(HasAttribute, name=_names),
    st.builds(Has, what=st.sampled_from(_presences)),
    st.builds(
        Pattern,
        pattern=st.sampled_from(["o-1[78]", "(?i)ORDER", r"^card", r"\b17\b", "(?s)é.+d$"]),
    ),
)


def _joined(inner: st.SearchStrategy[Search]) -> st.SearchStrategy[Search]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Not, part=inner), st.builds(And, parts=several), st.builds(Or, parts=several)
    )


_searches = st.one_of(st.just(Everything()), st.recursive(_terms, _joined, max_leaves=5))
SPAN = Span(since=NOW - timedelta(days=3), until=NOW)


async def found(database: Database, search: Search, *, page: int) -> list[int]:
    """The numbers of all records, in pages."""
    asked = Asked(search=search, span=SPAN, seconds=60)
    after, numbers = None, []
    while True:
        answer = await search_page(database, asked, after=after, limit=page)
        numbers += [record.record_id.int for record in answer.records]
        if answer.next is None:
            return numbers
        after = read_log_cursor(answer.next, to_text(search))


def expected(rows: Sequence[dict[str, Any]], search: Search) -> list[int]:
    ordered = sorted(rows, key=lambda one: (one["occurred_at"], one["record_id"]), reverse=True)
    return [one["record_id"].int for one in ordered if holds(one, search)]


@pytest.fixture
async def filled(connection: asyncpg.Connection, database: Database) -> Database:
    await make_shelves(connection)
    await put(connection, *ROWS)
    await close_shelves(connection)
    return database


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(search=_searches, page=st.sampled_from([7, 60, 1000]))
async def test_a_search_finds_what_it_says(filled: Database, search: Search, page: int) -> None:
    assert await found(filled, search, page=page) == expected(ROWS, search)


@pytest.mark.parametrize("way", ["enable_seqscan", "enable_bitmapscan"])
async def test_the_index_finds_what_a_scan_finds(
    filled: Database, connection: asyncpg.Connection, way: str
) -> None:
    """Whichever way the planner takes."""
    await connection.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET "
        f"{way} = off', current_database()); END $$"
    )
    for text in (
        "o-17",
        '"order o-17"',
        "card* -timeout",
        "attr.n:17",
        "o-17 OR attr.order_id:o-18",
    ):
        search = parse_search(text)
        assert await found(filled, search, page=1000) == expected(ROWS, search)
        assert expected(ROWS, search)
