"""Terms put into searches and taken out of them."""

from hypothesis import given

from app.query.search import Search, parse_search, to_text
from app.query.search.edit import holds_term, with_term, without_term
from app.query.search.model import Column, Everything, Field, Not
from tests.query.search.trees import searches

TERM = Field(column=Column.SERVICE, value='pay ment:"s\\')


@given(tree=searches)
def test_a_term_put_in_is_there_when_the_text_is_read_again(tree: Search) -> None:
    written = to_text(with_term(tree, TERM))

    assert holds_term(parse_search(written), TERM)


@given(tree=searches)
def test_a_term_put_in_and_taken_out_leaves_the_search_as_it_was(tree: Search) -> None:
    bare = without_term(without_term(tree, TERM), Not(part=TERM))

    assert without_term(with_term(bare, TERM), TERM) == bare


def test_a_term_takes_the_place_of_its_opposite() -> None:
    excluded = with_term(Everything(), Not(part=TERM))

    assert with_term(excluded, TERM) == TERM
    assert with_term(TERM, Not(part=TERM)) == excluded


def test_an_either_stays_together_when_it_is_narrowed() -> None:
    tree = parse_search("declined OR refused")

    assert to_text(with_term(tree, parse_search("level:error"))) == (
        "(declined OR refused) level:error"
    )
