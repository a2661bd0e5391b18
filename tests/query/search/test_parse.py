"""Reading a search, and writing it again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.normalise.record import Severity
from app.query.search import InvalidSearch, parse_search, to_text
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
    Search,
    Words,
)
from tests.query.search.trees import searches

A, B, C = (Words(text=text) for text in "abc")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", Everything()),
        (" \t\n", Everything()),
        ("timeout", Words(text="timeout")),
        ('"card was declined"', Words(text="card was declined")),
        ("time*", Words(text="time", is_prefix=True)),
        ('"card was dec"*', Words(text="card was dec", is_prefix=True)),
        ("12:30:45", Words(text="12:30:45")),
        ("/api/orders", Words(text="/api/orders")),
        ("a-b", Words(text="a-b")),
        ("ORDER android nothing", And(parts=(Words(text="ORDER"), Words(text="android"), Words(text="nothing")))),
        ("service:payment", Field(column=Column.SERVICE, value="payment")),
        ("SERVICE:payment", Field(column=Column.SERVICE, value="payment")),
        ("service: payment", Field(column=Column.SERVICE, value="payment")),
        ('service:"pay ment"', Field(column=Column.SERVICE, value="pay ment")),
        ("service:OR", Field(column=Column.SERVICE, value="OR")),
        ("env:prod*", Field(column=Column.ENVIRONMENT, value="prod", is_prefix=True)),
        ("release:1.2.3", Field(column=Column.RELEASE, value="1.2.3")),
        ("instance:host-1:80", Field(column=Column.INSTANCE, value="host-1:80")),
        ("correlation:req/1=2", Field(column=Column.CORRELATION, value="req/1=2")),
        ("signature:v1:00ff", Field(column=Column.SIGNATURE, value="v1:00ff")),
        ("level:warn", Level(severity=Severity.WARNING)),
        ("level:>=error", Level(severity=Severity.ERROR, comparison=Comparison.AT_LEAST)),
        ("level:<30", Level(severity=Severity.WARNING, comparison=Comparison.LESS)),
        ("issue:raw-sql-text", Issue(known_issue_id="raw-sql-text")),
        ("attr.order_id:o-17", Attribute(name="order_id", value="o-17")),
        ("attr.Http.Status:>=500", Attribute(name="Http.Status", value="500", comparison=Comparison.AT_LEAST)),
        ('attr."a key: \\"x\\"":-5', Attribute(name='a key: "x"', value="-5")),
        ("has:exception", Has(what=Presence.EXCEPTION)),
        ("has:attr.order_id", HasAttribute(name="order_id")),
        (r"message:/a\/b\d+/", Pattern(pattern=r"a/b\d+")),
        ("message:/refused/i", Pattern(pattern="(?i)refused")),
        ("message:refused", Words(text="refused")),
        ("-a", Not(part=A)),
        ("NOT a", Not(part=A)),
        ("a b", And(parts=(A, B))),
        ("a AND b", And(parts=(A, B))),
        ("a OR b c", Or(parts=(A, And(parts=(B, C))))),
        ("(a OR b) c", And(parts=(Or(parts=(A, B)), C))),
        ("(a b) c", And(parts=(A, B, C))),
        ("-(a OR b)", Not(part=Or(parts=(A, B)))),
        ("a(b)", And(parts=(A, B))),
    ],
)  # fmt: skip
def test_a_search_means(text: str, tree: Search) -> None:
    assert parse_search(text) == tree


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ('a "b c', 3, "never closed"),
        ('service:"b', 9, "never closed"),
        ("serice:payment", 1, 'the nearest is "service"'),
        ("a levl:error", 3, 'the nearest is "level"'),
        ("TypeError: boom", 1, "in quotes"),
        ("level:loud", 1, "trace, debug"),
        ("level:err*", 1, "there is no level"),
        ("has:exeption", 1, 'the nearest is "exception"'),
        ("a OR", 5, "must follow"),
        ("OR a", 1, '"OR" joins nothing'),
        ("a AND OR b", 7, '"OR" joins nothing'),
        ("a OR OR b", 6, '"OR" joins nothing'),
        ("(a b", 5, "add )"),
        ("a)", 2, "closes nothing"),
        ("()", 2, "empty pair"),
        ("service:", 9, "write a value"),
        ('service:""', 1, "write a value"),
        ("service:(a OR b)", 9, "write a value"),
        ("service:>=payment", 1, "takes no >="),
        ("attr.n:>many", 1, "compares with a number"),
        ("attr.:5", 1, "name of the attribute"),
        ("a - b", 3, "close the gap"),
        ("f*o", 1, "only at the end"),
        ("service:*", 1, "only at the end"),
        ("issue:raw*", 1, "whole name"),
        ("!!!", 1, "neither letter nor digit"),
        ('"x!"*', 1, "* must follow"),
        ("message:/a(/", 1, "RE2 does not compile"),
        ("message:/a/b/", 9, "a pattern ends in /"),
        ("service:/a/", 1, "only message:"),
        ("a\0b", 1, "NUL"),
        ("a \ud800", 3, "surrogate"),
        ("(" * 60 + "a" + ")" * 60, 61, "go into each other"),
        ("-" * 60 + "a", 61, "go into each other"),
        ("a OR " * 3_000 + "a", 1_001, "at most 200 terms"),
        ("a OR " * 5_000, 16_001, "shorten it"),
        ("a OR " * 3_000, 15_001, "must follow"),
        ("x" * 100_000, 16_001, "shorten it"),
        ("x" * 15_000, 1, "at most 1,000"),
        ('"' * 15_001, 1, "neither letter nor digit"),
        ("(" * 16_000, 16_001, "must follow"),
        ("message:/a/ " * 6, 61, "at most 5 patterns"),
    ],
)
def test_a_wrong_search_says_where_and_what_to_change(text: str, column: int, said: str) -> None:
    with pytest.raises(InvalidSearch) as raised:
        parse_search(text)

    assert said in str(raised.value)
    assert raised.value.column == column


@given(searches)
def test_what_is_written_of_a_tree_reads_as_this_tree(tree: Search) -> None:
    once = parse_search(to_text(tree))

    assert parse_search(to_text(once)) == once
    assert to_text(once) == to_text(parse_search(to_text(once)))


@given(searches.filter(lambda tree: not isinstance(tree, Not | And | Or)))
def test_a_single_term_comes_back_as_it_was(tree: Search) -> None:
    assert parse_search(to_text(tree)) == tree


@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(
                ["a", " ", "OR", "AND", "NOT", "-", "(", ")", '"', "\\", ":", "*", "/", ">=", "service:",
                 "attr.", "level:", "message:/", "has:", "\0", "é", "\n"]
            ),
            max_size=30,
        ).map("".join),
    )
)  # fmt: skip
def test_any_text_is_read_or_refused_and_reads_the_same_again(text: str) -> None:
    try:
        tree = parse_search(text)
    except InvalidSearch as error:
        assert 1 <= error.column <= len(text) + 1
        return

    assert parse_search(to_text(tree)) == tree
