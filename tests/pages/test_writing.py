"""Words of services as Markdown for a ticket or a chat: nothing in them is markup."""

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.pages.writing import code, fenced, plain

TEXT = st.text(alphabet=st.sampled_from("ab `~*_[]<>()#|!&\\\n\t-=1."), max_size=60)
_READ = MarkdownIt("commonmark")


def inline(markdown: str) -> list[Token]:
    """The pieces of a paragraph that begins with a word."""
    _, paragraph, _ = _READ.parse(f"a {markdown} z")
    return paragraph.children or []


def shown(text: str) -> str:
    return " ".join(text.split())


@given(text=TEXT)
def test_plain_words_are_read_as_they_were_written(text: str) -> None:
    pieces = inline(plain(text))

    assert {piece.type for piece in pieces} <= {"text", "text_special"}
    assert shown("".join(piece.content for piece in pieces)) == shown(f"a {shown(text)} z")


@given(text=TEXT.filter(lambda text: text.strip()))
def test_code_is_one_piece_of_code(text: str) -> None:
    codes = [piece.content for piece in inline(code(text)) if piece.type == "code_inline"]

    assert [shown(one) for one in codes] == [shown(text)]


@given(text=TEXT)
def test_no_text_ends_the_block_of_code_that_it_stands_in(text: str) -> None:
    (block,) = _READ.parse(fenced(text))

    assert (block.type, block.content) == ("fence", f"{text}\n")
