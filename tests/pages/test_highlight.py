"""Which words of an error and a document are marked."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from app.catalogue.model import Evidence
from app.pages.highlight import MOST_CHARACTERS, marked_lines, pieces, quoted_spans, shared_spans

WORDS = st.lists(st.sampled_from(["pool", "timeout", "the", "is", "(", "\n", "é", "x1"])).map(
    " ".join
)
SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda s: (min(s), max(s))))


def marked(text: str, other: str) -> list[str]:
    return [text[start:end] for start, end in shared_spans(text, other)]


def test_a_phrase_that_both_say_is_marked_and_single_words_beside_it_are_not() -> None:
    document = "Use `select`.\nTextual SQL expression '…' should be declared as text"

    found = marked(document, "Textual SQL expression 'SELECT 1' should be declared as text(")

    assert found == ["Textual SQL expression '…' should be declared as text"]


def test_a_single_rare_word_is_marked_and_a_common_one_is_not() -> None:
    assert marked("the error is a ZoneMissing", "ZoneMissing: the") == ["ZoneMissing"]


def test_a_quote_is_marked_where_it_stands_in_the_error() -> None:
    evidence = [Evidence(clause="text: b", quote="broke", start=4), Evidence(clause="c", quote="")]

    assert quoted_spans("it: broke", evidence) == ((4, 9),)


def test_a_quote_that_moved_is_found_and_one_that_is_gone_marks_nothing() -> None:
    moved, gone = Evidence(clause="c", quote="broke", start=0), Evidence(clause="c", quote="gone")

    assert quoted_spans("it: broke", [moved]) == ((4, 9),)
    assert quoted_spans("it: broke", [gone]) == ()


def test_lines_between_marks_are_left_out_and_the_gap_is_shown() -> None:
    text = "\n".join(["one", *["filler"] * 9, "two"])

    lines = marked_lines(text, [(0, 3), (len(text) - 3, len(text))])

    assert [line.number for line in lines] == [1, 2, 0, 10, 11]


@given(line=st.text(max_size=200), spans=SPANS)
def test_the_pieces_of_a_line_are_the_line(line: str, spans: list[tuple[int, int]]) -> None:
    assert "".join(piece.text for piece in pieces(line, spans)) == line


@given(line=st.text(min_size=MOST_CHARACTERS + 1, max_size=MOST_CHARACTERS + 50))
def test_a_line_that_is_too_long_is_cut_and_says_so(line: str) -> None:
    (piece,) = pieces(line, [])

    assert piece.text == f"{line[:MOST_CHARACTERS]}…"


@given(text=WORDS, other=WORDS)
def test_marks_lie_within_the_text_in_order_and_apart(text: str, other: str) -> None:
    spans = shared_spans(text, other)

    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))


@given(text=st.text(max_size=300), spans=SPANS)
def test_lines_never_say_what_the_text_does_not(text: str, spans: list[tuple[int, int]]) -> None:
    lines = marked_lines(text, spans)

    own = text.rstrip().split("\n")
    said = [(line.number, "".join(p.text for p in line.pieces)) for line in lines if line.number]
    assert all(own[number - 1] == words for number, words in said)
