"""Texts held against each other word by word."""

from hypothesis import example, given
from hypothesis import strategies as st

from app.pages.differences import MOST_WORDS, Piece, differences

WORDS = st.lists(st.sampled_from(["a", "bb", "ccc", " ", "\n", "  ", ".", "ä"]), max_size=60)
TEXTS = WORDS.map("".join)


def read(pieces: tuple[Piece, ...], without: str) -> str:
    return "".join(piece.text for piece in pieces if piece.kind != without)


@given(TEXTS, TEXTS)
@example(" ", "a a")
def test_pieces_read_as_both_texts(before: str, after: str) -> None:
    pieces = differences(before, after)

    assert read(pieces, "new") == before
    assert read(pieces, "gone") == after


@given(TEXTS)
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    assert all(piece.kind == "same" for piece in differences(text, text))


def test_words_that_changed_in_a_row_are_one_change() -> None:
    pieces = differences("Send some home: now", "Buy a kettle: now")

    assert pieces == (
        Piece("gone", "Send some home:"),
        Piece("new", "Buy a kettle:"),
        Piece("same", " now"),
    )


def test_a_text_of_very_many_words_is_compared_line_by_line() -> None:
    lines = [f"line {n} of the text\n" for n in range(MOST_WORDS // 4)]
    changed = [*lines[:5], "another line\n", *lines[6:]]

    pieces = differences("".join(lines), "".join(changed))

    assert [piece.text for piece in pieces if piece.kind != "same"] == [lines[5], changed[5]]
