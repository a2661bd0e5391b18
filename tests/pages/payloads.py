"""What people try to get into pages, and how a page is read as a browser reads it."""

import re
from html.parser import HTMLParser
from typing import Final

PAYLOADS: Final = (
    "<script>alert(1)</script>",
    "</title><script>alert(2)</script>",
    "</textarea><script>alert(3)</script>",
    "<img src=x onerror=alert(4)>",
    "<svg onload=alert(5)>",
    "<svg><script>alert(6)</script></svg>",
    '"><script>alert(7)</script>',
    "' onmouseover='alert(8)",
    '" onfocus="alert(9)" autofocus="',
    "<iframe src=javascript:alert(10)></iframe>",
    "<a href=javascript:alert(11)>x</a>",
    "[x](javascript:alert(12))",
    "[x](JaVaScRiPt:alert(13))",
    "[x](java\tscript:alert(14))",
    "[x](data:text/html,<script>alert(15)</script>)",
    "[x](vbscript:alert(16))",
    "<javascript:alert(17)>",
    "![x](https://elsewhere.example/a.png)",
    "![x](javascript:alert(19))",
    '[x](https://a.example "onclick=alert(20)")',
    "[x]: javascript:alert(21)\n\n[x]",
    "<style>body{display:none}</style>",
    "<link rel=stylesheet href=//elsewhere.example/a.css>",
    "<base href=//elsewhere.example/>",
    "<meta http-equiv=refresh content=0;url=//elsewhere.example>",
    "<form action=//elsewhere.example><button>x</button></form>",
    "<object data=x></object><embed src=x>",
    "<math><mtext><script>alert(28)</script></mtext></math>",
    "<!--<script>alert(29)//-->",
    "<![CDATA[<script>alert(30)</script>]]>",
    "&lt;script&gt;alert(31)&lt;/script&gt;",
    "&#60;script&#62;alert(32)&#60;/script&#62;",
    "\u003cscript\u003ealert(33)\u003c/script\u003e",
    "{{ 7 * 7 }}{% include 'base.html' %}",
    "${alert(35)} #{alert(35)} <%= 35 %>",
    "`<script>alert(36)</script>`",
    "~~~\n<script>alert(37)</script>\n~~~",
    "    <script>alert(38)</script>",
    "<details open ontoggle=alert(39)>",
    "<x hx-get=/ hx-trigger=load hx-on:click=alert(40)>",
    "<div style=position:fixed;inset:0 class=top>over</div>",
)
_OWN: Final = re.compile(r"/|#|https?://|mailto:")
_FORBIDDEN: Final = {
    "iframe", "object", "embed", "style", "base", "math", "img", "x", "foreignobject", "video",
}  # fmt: skip


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _FORBIDDEN or any(n.startswith(("on", "hx-on", "style")) for n in given):
            self.found.append(f"<{tag} {given}>")
        if tag == "script" and not given.get("src", "").startswith("/assets/"):
            self.found.append(f"<{tag} {given}>")
        if tag == "meta" and "http-equiv" in given:
            self.found.append(f"<{tag} {given}>")
        for name in ("href", "action", "src", "hx-post", "hx-get"):
            if name in given and not _OWN.match(given[name]):
                self.found.append(f"<{tag} {given}>")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def dangers(html: str) -> list[str]:
    """Elements and attributes that no page of ours has."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.found


def words(html: str) -> str:
    """What a reader sees, spaces as one."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return " ".join("".join(reader.words).split())
