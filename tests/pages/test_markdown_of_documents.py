"""Markdown as pages show it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pages.markdown import is_safe_link, opening, render, render_line
from tests.pages.payloads import PAYLOADS, dangers


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_markdown_brings_an_element_of_its_own(payload: str) -> None:
    assert dangers(render(payload)) == []
    assert dangers(render(f"| {payload} |\n|---|\n| {payload} |\n\n- {payload}")) == []
    assert dangers(render_line(payload)) == []


def test_a_table_that_is_aligned_brings_no_style() -> None:
    html = render("| a | b |\n|:--|--:|\n| 1 | 2 |")

    assert '<td class="number">2</td>' in html
    assert "style" not in html


def test_headings_of_a_document_stand_below_those_of_the_page() -> None:
    assert render("# one\n\n##### five") == "<h4>one</h4>\n<h5>five</h5>\n"


def test_an_image_is_its_words_and_loads_nothing() -> None:
    assert render("![the plan](https://example.com/plan.png)") == "<p>the plan</p>\n"


def test_a_title_shows_code_and_nothing_else() -> None:
    assert render_line("`a < b` **c** [d](https://e.example)") == (
        "<code>a &lt; b</code> **c** [d](https://e.example)"
    )


@pytest.mark.parametrize(
    ("url", "is_safe"),
    [
        ("https://example.com/a?b=c#d", True),
        ("http://example.com", True),
        ("mailto:on-call@example.com", True),
        ("HTTPS://example.com", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.com", False),
        ("guide.md", False),
        ("#fix", False),
        ("https:", False),
        ("http://[broken", False),
    ],
)
def test_links_lead_to_pages_and_mailboxes_alone(url: str, is_safe: bool) -> None:
    assert is_safe_link(url) is is_safe


@given(
    blocks=st.lists(
        st.sampled_from(["do this", "- a\n- b", "```\nx\n\ny\n```", "# h", "\x0c", ""])
    ),
    most=st.integers(1, 40),
)
def test_the_opening_and_the_rest_are_the_text_and_no_block_is_cut(
    blocks: list[str], most: int
) -> None:
    text = "\n\n".join(blocks)

    first, rest = opening(text, most=most)

    assert first + rest == text
    assert render(first) + render(rest) == render(text)
    assert len(text) > most or not rest
