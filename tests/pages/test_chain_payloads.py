"""Whatever is written into a record, its chain shows it as text."""

from html import unescape
from html.parser import HTMLParser
from typing import Any, Final

import httpx
import pytest

from tests.pages.payloads import PAYLOADS

pytestmark = pytest.mark.anyio
BROWSER: Final = {"Accept": "text/html"}


async def _send(client: httpx.AsyncClient, records: list[dict[str, Any]]) -> None:
    answer = await client.post("/ingest/logs", json=records)
    assert answer.json()["accepted"] == len(records), answer.text


async def _page(client: httpx.AsyncClient, path: str) -> str:
    answer = await client.get(path, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_what_is_written_into_a_record_is_shown_as_text(client: httpx.AsyncClient) -> None:
    plain = await _structure(client, "plain", "harmless")

    for number, payload in enumerate(PAYLOADS):
        structure, html = await _structure(client, f"attack-{number}", payload)

        assert structure == plain[0], payload
        assert " ".join(payload.split())[:60] in " ".join(unescape(html).split()), payload


async def _structure(
    client: httpx.AsyncClient, name: str, text: str
) -> tuple[list[tuple[str, tuple[str, ...]]], str]:
    """The tags of a page and the names of their attributes; the same for whatever is stored."""
    stack = f'File "/srv/{text}.py", line 1, in {text}\n    {text}'
    frames = [{"function": text, "module": text, "line": 3, "source": text}]
    base: dict[str, Any] = {
        "correlation_id": name, "service": text[:200], "instance": text[:200],
        "environment": text[:60], "release": text[:60], "attributes": {text[:200]: {"a": text}},
    }  # fmt: skip
    await _send(client, [
        {**base, "message": f"first: {text}", "level": "info"},
        {**base, "message": f"second: {text}", "level": "error", "span_id": "b" * 16,
         "exception": {"type": "Wrong", "message": text, "stacktrace": frames}},
        {**base, "message": f"third: {text}", "level": "warning",
         "exception": {"type": text, "message": text, "stacktrace": stack}},
    ])  # fmt: skip
    html = await _page(client, f"/chains/{name}")
    whole, fall = _Tags(), _Tags()
    whole.feed(html[html.index("<main") : html.index("</main>")])
    # Above the rows stands whether the digest has told of the chain yet.
    fall.feed(html[html.index('<ol class="fall"') : html.index("</main>")])
    assert not [one for one in whole.attributes if one[0].startswith("on")]
    assert not [one for one in whole.attributes if (one[1] or "").lower().startswith("javascript")]
    return fall.names, html


class _Tags(HTMLParser):
    """Which tags with which attributes a page has, outside of what was read out of a stack."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._inside = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        self._inside += tag == "section"
        if not self._inside:
            self.names.append((tag, tuple(name for name, _ in attrs)))
        assert tag not in {"script", "img", "iframe", "object", "style", "form", "base", "meta"}

    def handle_endtag(self, tag: str) -> None:
        self._inside -= tag == "section" and self._inside > 0
