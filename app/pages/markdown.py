"""Markdown of documents -> HTML for a page: only its own tags, and nothing that is loaded."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

_SCHEMES: Final = {"http", "https", "mailto"}
_HIGHEST_HEADING: Final = 4
"""Above stand the headings of the page itself."""
_LONGEST_KEPT: Final = 20_000
_CODE: Final = {"fence", "code_block"}


def is_safe_link(url: str) -> bool:
    """Whether it leads to a page or a mailbox; a path would lead nowhere in this service."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    return parts.scheme.lower() in _SCHEMES and bool(parts.netloc or parts.path)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.validateLink = is_safe_link  # type: ignore[method-assign]
    return parser


_PARSER: Final = _parser()
_OF_LINES: Final = MarkdownIt("zero").enable("backticks")


def render(text: str) -> Markup:
    """HTML of a text in CommonMark with tables (spec 0.31); HTML in it is shown as text.

    Links lead to http, https and mailto alone; images become their words; headings begin at h4.
    """
    # A long text is a draft that somebody types: each of its states would be kept.
    return _kept(text) if len(text) <= _LONGEST_KEPT else _rendered(text)


def opening(text: str, *, most: int = 900) -> tuple[str, str]:
    """The first blocks of a text of at most `most` characters, at least one, and the rest."""
    if len(text) <= most:
        return text, ""
    lines = re.split(r"(?<=\n)", text)
    starts = [token.map[0] for token in _PARSER.parse(text) if token.level == 0 and token.map]
    shown = [n for n in starts[1:] if len("".join(lines[:n])) <= most]
    cut = shown[-1] if shown else next(iter(starts[1:]), len(lines))
    return "".join(lines[:cut]), "".join(lines[cut:])


def _rendered(text: str) -> Markup:
    tokens = list(_tamed(_PARSER.parse(text)))
    return Markup(_PARSER.renderer.render(tokens, _PARSER.options, {}))  # noqa: S704 - ours alone


_kept = lru_cache(maxsize=256)(_rendered)


@lru_cache(maxsize=1024)
def render_line(text: str) -> Markup:
    """HTML of a title: only code is marked in it."""
    return Markup(_OF_LINES.renderInline(text))  # noqa: S704 - it writes no tag but `code`


def _tamed(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        # A table column that is aligned brings a style, which the policy of the pages forbids.
        if token.attrs.pop("style", "") == "text-align:right":
            token.attrs["class"] = "number"
        if token.type.startswith("heading_"):
            token.tag = f"h{max(int(token.tag[1:]), _HIGHEST_HEADING)}"
        elif token.type in _CODE:
            # What may scroll must be reached by the keyboard.
            yield _html(f'<pre tabindex="0"><code>{escape(token.content)}</code></pre>\n')
            continue
        elif token.type == "link_open":
            token.attrs["rel"] = "noopener noreferrer nofollow"
        elif token.type == "image":
            yield _words_of(token)
            continue
        if token.type == "table_open":
            yield _html('<div class="scroll" tabindex="0">\n')
        if token.children:
            token.children = list(_tamed(token.children))
        yield token
        if token.type == "table_close":
            yield _html("</div>\n")


def _words_of(image: Token) -> Token:
    return Token("text", "", 0, content=image.content or "image")


def _html(written: str) -> Token:
    """`written` is ours, with what comes from outside escaped."""
    return Token("html_block", "", 0, content=written)
