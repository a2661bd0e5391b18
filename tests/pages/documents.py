"""Documents for the pages of the catalogue, and a browser's forms without a browser."""

import asyncio
import json
import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.pages.payloads import PAYLOADS


def entry(name: str, *, title: str = "", said: str = "", fix: str = "Send some home.") -> str:
    """One that holds for errors that say `said`."""
    said = said or f"{name} exploded"
    return f"""## {title or name} {{#{name}}}
Severity: high
Tags: kitchen

### Symptoms
`Error: {said}`

### Causes
Cooks.

### Fix
{fix}

### Rules
```yaml rule
text: {json.dumps(said)}
```

### Samples
```text sample
Error: {said}
```
"""


def hostile_document() -> str:
    """An entry for each payload, with it in every field that an author may fill."""
    parts = []
    for number, payload in enumerate(PAYLOADS):
        line = " ".join(payload.split())
        parts.append(f"""## Title {number} {line} {{#hostile-{number}}}
Source: {line}
Tags: {line}

### Symptoms
{payload}

### Causes
{payload}

### Fix
{payload}

### Lesson
{payload}

### Caution
{payload}

### Affected files
- `{line.replace("`", "")}`

### Rules
```yaml rule
text: marker-{number}-
not:
  text: {json.dumps(payload)}
```

### Samples
```text sample
marker-{number}-
```
""")
    return "\n".join(parts)


class _Fields(HTMLParser):
    """Hidden inputs and text areas, as a browser would send them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._area: str | None = None
        self._begun = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "textarea":
            self._area, self._begun = given.get("name") or "", ""
        elif tag == "input" and given.get("type") == "hidden":
            self.found.append((given.get("name") or "", given.get("value") or ""))

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._begun += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None:
            # The first line feed is not part of the text (HTML, 13.2.6.4.7); those sent are CR LF.
            text = self._begun.removeprefix("\n").replace("\n", "\r\n")
            self.found.append((self._area, text))
            self._area = None


def form(html: str, action: str) -> list[tuple[str, str]]:
    """The hidden fields and texts of the form with this action."""
    found = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', html, re.DOTALL)
    assert found, f"no form leads to {action}"
    fields = _Fields()
    fields.feed(found[0])
    return fields.found


async def preview(client: httpx.AsyncClient, **documents: str) -> httpx.Response:
    """What a person sees after choosing these files; names with `_` for `.`."""
    files = [
        ("files", (name.replace("_", "."), text.encode(), "text/markdown"))
        for name, text in documents.items()
    ]
    return await client.post("/catalogue/documents/preview", files=files)


async def import_shown(client: httpx.AsyncClient, shown: httpx.Response) -> httpx.Response:
    """Press the button of the preview, and go where it leads."""
    fields = form(shown.text, "/catalogue/documents")
    parts = [(name, (None, value)) for name, value in fields]
    answer = await client.post("/catalogue/documents", files=parts)
    assert answer.status_code == 303, answer.text
    return await client.get(answer.headers["location"])


async def in_force(client: httpx.AsyncClient, text: str) -> Any:
    """The match of this error, once the service matches with the entry."""
    async with asyncio.timeout(20):
        while True:
            answer = (await client.post("/api/match", json={"text": text})).json()
            if answer["known"]:
                return answer["match"]
            await asyncio.sleep(0.05)


def shown_text(html: str) -> str:
    """Without tags, spaces as one."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
