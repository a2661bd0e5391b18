"""What is offered while a search is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.query.search import parse_search
from app.query.search.complete import Known, Place, place_at, suggestions
from app.query.search.model import Attribute, Column, Field

KNOWN = Known(
    values={
        "service": {"payment": "9 records", "pay desk": "", "gateway": ""},
        "issue": {"raw-sql-text": "Raw SQL"},
    },
    attributes=("order_id", "a key"),
)


def offered(text: str) -> list[str]:
    place = place_at(text, len(text))
    return [text[: place.start] + one.insert for one in suggestions(place, KNOWN)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("ser", "service:"),
        ("level:error -ser", "level:error -service:"),
        ("(ser", "(service:"),
        ("service:pay", "service:payment"),
        ("-service:gat", "-service:gateway"),
        ('service:"pay d', 'service:"pay desk"'),
        ("service:desk", 'service:"pay desk"'),
        ("level:e", "level:error"),
        ("level:>=w", "level:>=warning"),
        ("has:exc", "has:exception"),
        ("has:attr.o", "has:attr.order_id"),
        ("attr.o", "attr.order_id:"),
        ("attr.a", 'attr."a key":'),
        ("issue:raw", "issue:raw-sql-text"),
    ],
)
def test_what_is_begun_is_completed(text: str, first: str) -> None:
    assert offered(text)[0] == first


@pytest.mark.parametrize("text", ["nothing-like-this", "service:nobody", "unknown:x", "message:/a"])
def test_where_nothing_fits_nothing_is_offered(text: str) -> None:
    assert offered(text) == []


@given(text=st.text(max_size=60), caret=st.integers(0, 80))
def test_a_place_lies_before_the_caret(text: str, caret: int) -> None:
    place = place_at(text, caret)

    assert 0 <= place.start <= min(caret, len(text))


_VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@given(value=_VALUES.map(lambda text: text[:200]))
def test_whatever_is_stored_is_offered_such_that_it_can_be_searched(value: str) -> None:
    place = Place(start=8, end=8, field="service", begun="")
    [one] = suggestions(place, Known(values={"service": {value: ""}}))

    found = parse_search(f"service:{one.insert}")

    assert found == Field(column=Column.SERVICE, value=value)


@given(name=_VALUES.map(lambda text: text[:100]))
def test_whatever_an_attribute_is_called_it_can_be_searched(name: str) -> None:
    place = Place(start=0, end=0, field="attr", begun="")
    [one] = suggestions(place, Known(attributes=(name,)))

    assert parse_search(f"{one.insert}x") == Attribute(name=name, value="x")


@pytest.mark.parametrize(
    ("before", "behind", "left"),
    [
        ("service:tar", "iff level:error", " level:error"),
        ("ser", "vice:tariff", "tariff"),
        ("attr.or", "der_id:7", "7"),
        ('service:"pay', 'ment desk" x', " x"),
        ('service:"pay', " level:error", " level:error"),
        ("(service:ta", ") x", ") x"),
    ],
)
def test_what_is_chosen_within_a_word_takes_the_place_of_all_of_it(
    before: str, behind: str, left: str
) -> None:
    place = place_at(before + behind, len(before))

    assert (before + behind)[place.end :] == left
