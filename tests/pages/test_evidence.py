"""The words of an error that a match rests on."""

from hypothesis import given
from hypothesis import strategies as st

from app.catalogue.model import Evidence
from app.pages.evidence import AROUND, ENDS, Line, marked_lines


def evidence(text: str, quote: str) -> Evidence:
    return Evidence(clause=f"text: {quote}", quote=quote, start=text.find(quote))


def written(line: Line) -> str:
    return "".join(piece.text for piece in line.pieces)


def marked(lines: tuple[Line, ...], number: int) -> str:
    pieces = (piece for line in lines for piece in line.pieces)
    return "".join(piece.text for piece in pieces if piece.number == number)


TEXTS = st.text(alphabet="abc \n", max_size=40)
PLACES = st.lists(st.tuples(st.integers(-1, 45), st.integers(0, 10)), max_size=5)


@given(TEXTS, PLACES)
def test_a_short_text_stands_whole_whatever_is_marked(
    text: str, places: list[tuple[int, int]]
) -> None:
    found = [Evidence(clause="c", quote=text[a : a + n], start=a) for a, n in places]

    lines = marked_lines(text, found)

    shown = [written(line) for line in lines if not line.left_out]
    hidden = sum(line.left_out for line in lines)
    assert len(shown) + hidden == len(text.splitlines())
    assert hidden or shown == text.splitlines()


def test_each_quote_is_marked_with_its_number() -> None:
    text = "ValueError: broth spoiled\nby cooks"

    lines = marked_lines(text, [evidence(text, "by cooks"), evidence(text, "broth spoiled")])

    assert (marked(lines, 1), marked(lines, 2)) == ("by cooks", "broth spoiled")


def test_a_quote_over_several_lines_is_marked_in_each() -> None:
    text = "one two\nthree four"

    lines = marked_lines(text, [evidence(text, "two\nthree")])

    assert [[p.text for p in line.pieces if p.number] for line in lines] == [["two"], ["three"]]


def test_of_a_long_text_the_ends_stand_and_what_is_marked_with_lines_around() -> None:
    text = "\n".join(f"line {n}" for n in range(1_000))

    lines = marked_lines(text, [evidence(text, "line 500")])

    shown = [written(line) for line in lines if not line.left_out]
    assert shown[ENDS : ENDS + 2 * AROUND + 1] == [f"line {n}" for n in range(497, 504)]
    assert len(shown) == 2 * ENDS + 2 * AROUND + 1
    assert sum(line.left_out for line in lines) == 1_000 - len(shown)


def test_evidence_that_is_no_part_of_the_text_marks_nothing() -> None:
    lines = marked_lines("broth", [Evidence(clause="exception: E", quote="E", start=-1)])

    assert [piece.number for line in lines for piece in line.pieces] == [0]
