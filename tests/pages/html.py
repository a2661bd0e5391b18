"""A drawn page, read the way a browser reads it."""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

OF_PAGES: Final = frozenset(
    {
        "html", "head", "meta", "title", "link", "script", "body", "a", "header", "svg", "use",
        "nav", "ul", "ol", "li", "main", "div", "h1", "h2", "h3", "form", "label", "input", "kbd",
        "button",
        "pre", "mark", "p", "strong", "span", "datalist", "option", "aside", "details", "summary",
        "time", "fieldset", "legend", "figure", "figcaption", "rect", "section", "table", "caption",
        "tr", "th", "td", "thead", "tbody", "dl", "dt", "dd", "code", "footer", "dialog",
    }
)  # fmt: skip
"""Elements that our templates write."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read_html(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


def foreign_parts(html: str) -> Iterator[str]:
    """Elements, handlers and addresses that no template wrote."""
    for tag, attributes in read_html(html).elements:
        if tag not in OF_PAGES:
            yield tag
        if tag == "script" and not attributes.get("src", "").startswith("/assets/"):
            yield "a script without a file"
        for name, value in attributes.items():
            if name.startswith(("on", "style", "data-hx-on", "hx-on")):
                yield f"{tag} {name}"
            own = value.startswith(("/", "#", "?"))
            if name in {"href", "src", "action", "hx-get", "hx-post"} and not own:
                yield f"{tag} {name}={value}"
            if name in {"href", "src", "action", "hx-get"} and value.startswith("//"):
                yield f"{tag} {name}={value}"
