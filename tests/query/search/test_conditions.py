"""Searches as SQL: what people wrote never becomes a part of the statement."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.dialects import postgresql

from app.normalise.record import Severity
from app.query.search import Search, condition_of
from app.query.search.conditions import keys_of, values_of
from app.query.search.model import Attribute, Column, Field, HasAttribute, Issue, Level, Not, Words
from app.store.tables import log_records
from tests.query.search.trees import searches

DIALECT = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]
hostile = st.one_of(
    st.sampled_from(
        ["'; DROP TABLE log_records; --", "x' OR '1'='1", "%s %(a)s :b $1 {c}", "\\'", "/*"]
    ),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=30),
)  # fmt: skip


def statement_of(search: Search) -> Any:
    return select(log_records.c.record_id).where(condition_of(search)).compile(dialect=DIALECT)


@pytest.mark.parametrize("is_prefix", [False, True])
@given(text=hostile)
def test_hostile_values_never_change_the_statement(text: str, is_prefix: bool) -> None:
    kinds: list[list[Search]] = [
        [
            *(Field(column=column, value=value, is_prefix=is_prefix) for column in Column),
            Issue(known_issue_id=value),
            Words(text=f"x {value}", is_prefix=is_prefix),
            Attribute(name="a", value=f"x{value}", is_prefix=is_prefix),
            Attribute(name=value.replace(".", "_"), value="x", is_prefix=is_prefix),
            HasAttribute(name=value.replace(".", "_")),
        ]
        for value in ("y", text)
    ]
    plain, nasty = kinds

    assert [str(statement_of(one)) for one in nasty] == [str(statement_of(one)) for one in plain]


@given(searches)
def test_a_statement_holds_placeholders_and_no_texts(tree: Search) -> None:
    statement = str(statement_of(tree)).replace('COLLATE "C"', "")

    assert set(statement).isdisjoint("'\";")


def test_a_negation_counts_what_is_missing_as_false() -> None:
    statement = str(statement_of(Not(part=Field(column=Column.RELEASE, value="7"))))

    assert statement.endswith("(log_records.release = $1::VARCHAR) IS NOT true")


def test_a_level_is_compared_as_the_indexes_of_errors_are_made() -> None:
    assert "level = $1::severity" in str(statement_of(Level(severity=Severity.ERROR)))


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("order_id", (("order_id",),)),
        ("http.status", (("http.status",), ("http", "status"))),
        ("a..b", (("a..b",),)),
        (".a", ((".a",),)),
    ],
)
def test_an_attribute_is_one_key_or_one_within_another(
    name: str, keys: tuple[tuple[str, ...], ...]
) -> None:
    assert keys_of(name) == keys


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("o-17", ("o-17",)),
        ("17", ("17", 17)),
        ("-1.5", ("-1.5", -1.5)),
        ("1e999", ("1e999",)),
        ("true", ("true", True)),
        ("null", ("null", None)),
        ("NaN", ("NaN",)),
        ("1_000", ("1_000",)),
        ("٣", ("٣",)),
    ],
)
def test_a_value_is_a_text_and_what_it_reads_as(text: str, values: tuple[Any, ...]) -> None:
    assert values_of(text) == values
