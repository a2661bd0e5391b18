"""Which words of an error and a document are marked."""

import itertools
import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from app.catalogue.model import Evidence
from app.pages.assets import Assets
from app.pages.drawing import make_environment
from app.pages.highlight import (
    AROUND,
    ENDS,
    MOST_CHARACTERS,
    Line,
    marked_lines,
    pieces,
    quoted_marks,
    shared_marks,
)

WORDS = st.lists(st.sampled_from(["pool", "timeout", "the", "is", "(", "\n", "é", "x1"])).map(
    " ".join
)
PARTS = make_environment(Assets()).get_template("incident_parts.html").make_module({})
MARKS = st.lists(
    st.tuples(st.integers(-2, 60), st.integers(0, 60), st.integers(1, 5)).map(
        lambda m: (min(m[:2]), max(m[:2]), m[2])
    )
)


def words_of(line: Line) -> str:
    return "".join(piece.text for piece in line.pieces)


def marked(text: str, other: str) -> list[str]:
    return [text[start:end] for start, end, _ in shared_marks(text, other)]


def test_a_phrase_that_both_say_is_marked_and_single_words_beside_it_are_not() -> None:
    document = "Use `select`.\nTextual SQL expression '…' should be declared as text"

    found = marked(document, "Textual SQL expression 'SELECT 1' should be declared as text(")

    assert found == ["Textual SQL expression '…' should be declared as text"]


def test_a_single_rare_word_is_marked_and_a_common_one_is_not() -> None:
    assert marked("the error is a ZoneMissing", "ZoneMissing: the") == ["ZoneMissing"]


def test_a_quote_is_marked_where_it_stands_in_the_error() -> None:
    evidence = [Evidence(clause="text: b", quote="broke", start=4), Evidence(clause="c", quote="")]

    assert quoted_marks("it: broke", evidence) == ((4, 9, 1),)


def test_a_quote_that_moved_is_found_and_one_that_is_gone_marks_nothing() -> None:
    moved, gone = Evidence(clause="c", quote="broke", start=0), Evidence(clause="c", quote="gone")

    assert quoted_marks("it: broke", [moved]) == ((4, 9, 1),)
    assert quoted_marks("it: broke", [gone]) == ()


def test_each_quote_is_marked_with_its_number() -> None:
    text = "ValueError: broth spoiled\nby cooks"
    evidence = [Evidence(clause="c", quote=one) for one in ("by cooks", "broth spoiled")]

    lines = marked_lines(text, quoted_marks(text, evidence))

    marked = {piece.mark: piece.text for line in lines for piece in line.pieces if piece.mark}
    assert marked == {1: "by cooks", 2: "broth spoiled"}


def test_a_quote_over_several_lines_is_marked_in_each() -> None:
    lines = marked_lines("one two\nthree four", [(4, 13, 1)])

    assert [[p.text for p in line.pieces if p.mark] for line in lines] == [["two"], ["three"]]


def test_of_a_long_text_the_ends_stand_and_what_is_marked_with_lines_around() -> None:
    text = "\n".join(f"line {n}" for n in range(1_000))
    start = text.index("line 500")

    lines = marked_lines(text, [(start, start + 8, 1)])

    shown = [words_of(line) for line in lines if not line.left_out]
    assert shown[ENDS : ENDS + 2 * AROUND + 1] == [f"line {n}" for n in range(497, 504)]
    assert len(shown) == 2 * ENDS + 2 * AROUND + 1
    assert sum(line.left_out for line in lines) == 1_000 - len(shown)


@given(line=st.text(max_size=200), marks=MARKS)
def test_the_pieces_of_a_line_are_the_line(line: str, marks: list[tuple[int, int, int]]) -> None:
    assert "".join(piece.text for piece in pieces(line, marks)) == line


@given(line=st.text(min_size=MOST_CHARACTERS + 1, max_size=MOST_CHARACTERS + 50))
def test_a_line_that_is_too_long_is_cut_and_says_so(line: str) -> None:
    (piece,) = pieces(line, [])

    assert piece.text == f"{line[:MOST_CHARACTERS]}…"


@given(text=WORDS, other=WORDS)
def test_marks_lie_within_the_text_in_order_and_apart(text: str, other: str) -> None:
    marks = shared_marks(text, other)

    assert all(0 <= start < end <= len(text) for start, end, _ in marks)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(marks))


@given(text=st.text(max_size=300), marks=MARKS)
def test_without_its_marks_a_text_is_what_it_was(
    text: str, marks: list[tuple[int, int, int]]
) -> None:
    lines = marked_lines(text, marks, most=4)

    own = text.rstrip().split("\n")
    shown = [line for line in lines if not line.left_out]
    assert all(own[line.number - 1] == words_of(line) for line in shown)
    assert len(shown) + sum(line.left_out for line in lines) == len(own)
    assert len(own) > 4 or [words_of(line) for line in lines] == own


@given(text=st.text(alphabet="<>&\"'a \n", max_size=13), marks=MARKS)
def test_drawn_lines_say_the_text_with_nothing_but_marks_around_it(
    text: str, marks: list[tuple[int, int, int]]
) -> None:
    html = str(PARTS.marked(marked_lines(text, marks)))  # type: ignore[attr-defined]

    said = unescape(re.sub(r"</?(?:mark|span)[^<>]*>", "", html))
    assert "".join(said.split()) == "".join(text.split())
