"""Every page asked for over HTTP, again and again, as a browser asks for it."""

import random
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import msgspec

from scripts.benches.frame import Row
from scripts.benches.ground import Api, ask
from scripts.benches.loads import percentile
from scripts.benches.query_filled import bar
from scripts.benches.query_records import vocabularies

P95_MS: Final = 150.0
ENOUGH: Final = 60
WARM: Final = 3
LONGEST_SECONDS: Final = 30.0
QUICK_SECONDS: Final = 8.0
DIFFERENT: Final = 20
PAGE: Final = {"Accept": "text/html", "Accept-Encoding": "gzip"}
PART: Final = {**PAGE, "HX-Request": "true", "HX-Request-Type": "partial"}
INCIDENTS: Final = """
    SELECT array_agg(incident_id::text) FROM (
        SELECT incident_id FROM incidents
        LEFT JOIN matches ON matches.signature_id = root_signature_id
        WHERE (known_issue_id IS NOT NULL) = {known} ORDER BY chains DESC LIMIT {limit}
    ) AS listed
"""
TRACEBACK: Final = """Traceback (most recent call last):
  File "/app/inventory/bins.py", line 41, in reserve_bins
    rows = await session.execute("SELECT sku, quantity FROM bins")
  File "/usr/lib/python3.12/site-packages/sqlalchemy/sql/coercions.py", line 601, in _no_text
    raise exc_cls(
sqlalchemy.exc.ArgumentError: Textual SQL expression 'SELECT sku, quantity FROM...' should be \
explicitly declared as text('SELECT sku, quantity FROM...')
"""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A page under addresses that are asked for in turns."""

    name: str
    addresses: tuple[str, ...]
    is_main: bool = False
    """Whether a browser opens it, too."""
    is_part: bool = False
    """What a page asks for after it was drawn."""


class Asked(msgspec.Struct, frozen=True):
    """Milliseconds of every answer; one that failed took for ever."""

    milliseconds: list[float]
    statuses: dict[int, int]


def listed_pages(url: str, chains: dict[int, str]) -> list[Listed]:
    """All of them, with the names of what is stored."""
    known, unknown = (_incidents(url, known=known) for known in (True, False))
    word = _words()
    return [
        _page("overview, 6 hours", "/?hours=6"),
        _page("overview, 24 hours", "/", is_main=True),
        _page("overview, 3 days", "/?hours=72"),
        _page("overview, 7 days", "/?hours=168", is_main=True),
        _page("incidents", "/incidents", is_main=True),
        _page("incidents, open and known", "/incidents?status=open&known=yes"),
        _page("incidents, unknown of a service", "/incidents?known=no&service=payment"),
        _page("incidents of a service that has none", "/incidents?service=nobody"),
        _page("incident, known", *(f"/incidents/{one}" for one in known), is_main=True),
        _page("incident, unknown", *(f"/incidents/{one}" for one in unknown), is_main=True),
        _page("incident with suggestions", *(f"/incidents/{one}?suggest=yes" for one in unknown)),
        _page("draft of an entry", *(f"/incidents/{one}/draft" for one in unknown), is_main=True),
        *(
            _page(f"chain of {length:,}", f"/chains/{name}", is_main=True)
            for length, name in chains.items()
        ),
        _page("logs, newest", "/logs", is_main=True),
        _page("logs, errors of a service", "/logs?" + _q("service:payment level:>=error")),
        _page("logs, a word", *(f"/logs?{_q(one)}" for one in word)),
        _part("logs, histogram", "/logs/histogram"),
        _part("logs, histogram of a search", "/logs/histogram?" + _q("level:>=error")),
        _part("logs, facets", "/logs/facets"),
        _part("logs, facets of a search", "/logs/facets?" + _q("service:payment level:>=error")),
        _page("catalogue", "/catalogue", is_main=True),
        _page("catalogue, an entry", "/catalogue/raw-sql-text", is_main=True),
        _page("catalogue, not written down yet", "/catalogue/documents/missing"),
        _page("ask", "/ask", is_main=True),
        _page("ask about a traceback", "/ask?" + urlencode({"text": TRACEBACK}), is_main=True),
        _page("settings", "/settings", is_main=True),
    ]


def _page(name: str, *addresses: str, is_main: bool = False) -> Listed:
    return Listed(name=name, addresses=addresses, is_main=is_main)


def _part(name: str, address: str) -> Listed:
    return Listed(name=name, addresses=(address,), is_part=True)


def _q(search: str) -> str:
    return urlencode({"q": search})


def _words() -> list[str]:
    """Of notes, some frequent, some rare."""
    return random.sample(vocabularies().words[0][300:6_000], DIFFERENT)


def _incidents(url: str, *, known: bool) -> list[str]:
    """Those with the most chains."""
    found: list[str] | None = ask(url, INCIDENTS.format(known=known, limit=DIFFERENT))
    if not found:
        raise RuntimeError(f"there is no incident that is {'known' if known else 'unknown'}")
    return found


def server_rows(api: Api, pages: list[Listed], *, quick: bool) -> Iterator[Row]:
    """From the request to the last byte of the answer, over one connection that stays open."""
    seconds = QUICK_SECONDS if quick else LONGEST_SECONDS
    with httpx.Client(base_url=f"http://127.0.0.1:{api.port}", timeout=60) as client:
        for page in pages:
            asked = _asked(client, page, seconds)
            taken = asked.milliseconds
            about = f"server: {page.name}, "
            yield Row(f"{about}p50 of {len(taken)}", percentile(taken, 0.5), "ms", "", None)
            p95 = percentile(taken, 0.95)
            yield Row(f"{about}p95", p95, "ms", f"< {P95_MS:g}", p95 < P95_MS)
            if failed := {s: n for s, n in asked.statuses.items() if s != 200}:  # noqa: PLR2004
                yield Row(f"{about}answers {failed}", sum(failed.values()), "", "0", holds=False)


def _asked(client: httpx.Client, page: Listed, seconds: float) -> Asked:
    """Until there are enough answers or the time is up; the first few do not count."""
    asked = Asked([], {})
    until = time.monotonic() + seconds
    with bar() as progress:
        task = progress.add_task(page.name, total=ENOUGH)
        for number in range(-WARM, ENOUGH):
            if time.monotonic() > until and number > 0:
                break
            _ask_once(client, page, number, asked)
            progress.update(task, completed=number)
    return asked


def _ask_once(client: httpx.Client, page: Listed, number: int, asked: Asked) -> None:
    headers: dict[str, Any] = PART if page.is_part else PAGE
    began = time.perf_counter()
    answer = client.get(page.addresses[number % len(page.addresses)], headers=headers)
    taken = (time.perf_counter() - began) * 1000
    if number >= 0:
        asked.milliseconds.append(taken if answer.is_success else float("inf"))
        asked.statuses[answer.status_code] = asked.statuses.get(answer.status_code, 0) + 1
