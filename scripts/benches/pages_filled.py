"""Thousands of incidents, made by chains that really fail: sent, stored, digested, matched."""

import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import msgspec

from scripts.benches.ground import Api, ask
from scripts.benches.incidents_failures import CAUSES, KINDS, Cause, Checkout, Numbering
from scripts.benches.ingest_batches import send_batches
from scripts.benches.query_filled import DAYS, bar
from scripts.benches.query_records import vocabularies
from scripts.benches.records import BATCH

CHAINS_EACH: Final = 12
QUICK_CHAINS_EACH: Final = 2
"""On average; a few incidents have most of them, and every one has at least one."""
LONG_CHAINS: Final = (10, 200, 10_000)
LONGEST_OF_RECORDS: Final = 20
"""The longest chain is no more than one in so many of the records."""
SERVICES: Final = ("gateway", "payment", "pricing", "inventory", "notifications")
LONGEST_SECONDS: Final = 900.0
PIECE: Final = 500
"""Chains that are sent, and digested, before the next."""
WAITING: Final = "SELECT count(*) FROM chain_marks WHERE marked_at <= now()"
INCIDENTS: Final = "SELECT count(*) FROM incidents"
NEWEST: Final = "SELECT max(root_at) FROM incident_chains"
STATUSES: Final = """
    WITH numbered AS (
        SELECT incident_id, row_number() OVER (ORDER BY opened_at, incident_id) AS place
        FROM incidents WHERE status = 'open'
    ), changed AS (
        UPDATE incidents SET version = version + 1,
            status = CASE place % 10 WHEN 0 THEN 'muted' WHEN 1 THEN 'acknowledged'
                ELSE 'resolved' END::incident_status,
            resolved_at = CASE WHEN place % 10 IN (2, 3) THEN now() END
        FROM numbered
        WHERE incidents.incident_id = numbered.incident_id AND place % 10 < 4
        RETURNING incidents.incident_id, status
    )
    INSERT INTO events (kind, incident_id, done_by, details, routed_at)
    SELECT status::text::event_kind, incident_id, 'bench', '{"from": "open"}', now() FROM changed
"""
HELD: Final = """
    SELECT json_build_object(
        'records', (SELECT sum(reltuples)::bigint FROM pg_partition_tree('log_records')
            JOIN pg_class ON oid = relid AND relkind = 'r'),
        'incidents', (SELECT count(*) FROM incidents),
        'known', (SELECT count(*) FROM incidents JOIN matches
            ON matches.signature_id = root_signature_id AND known_issue_id IS NOT NULL),
        'chains', (SELECT count(DISTINCT correlation_id) FROM incident_chains),
        'lately', (SELECT count(DISTINCT correlation_id) FROM incident_chains
            WHERE root_at > now() - interval '1 day')
    )::text
"""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What the pages read."""

    records: int
    incidents: int
    known: int
    chains: int
    lately: int


def held(url: str) -> Held:
    return msgspec.json.decode(ask(url, "ANALYZE", HELD), type=Held)


def fill_incidents(url: str, api: Api, wanted: int, *, quick: bool) -> dict[int, str]:
    """So many incidents over the last days, and the chains of fixed lengths: length -> name.

    A server that was filled before gets what happened since then. Raises `RuntimeError` when the
    digest does not come to an end.
    """
    now = datetime.now(UTC)
    newest = ask(url, NEWEST)
    since = max(newest, now - timedelta(days=DAYS)) if newest else now - timedelta(days=DAYS)
    is_full = ask(url, INCIDENTS) >= wanted
    share = min((now - since) / timedelta(days=DAYS), 1.0)
    each = QUICK_CHAINS_EACH if quick else CHAINS_EACH
    count = int(wanted * each * (share if is_full else 1))
    numbering = Numbering()
    causes = list(_causes(wanted))
    _send_all(url, api, list(_chains(causes, count, since, now, numbering, is_full=is_full)))
    if not is_full:
        ask(url, STATUSES)
    lengths = sorted({min(length, _longest(url)) for length in LONG_CHAINS})
    names = {length: _long_chain(api, length, numbering) for length in lengths}
    _wait_until_digested(url)
    ask(url, "SET statement_timeout = 0", "VACUUM (ANALYZE)", "CHECKPOINT")
    return names


def _causes(count: int) -> Iterator[Cause]:
    """Each a root of its own: the function that failed has a name of its own."""
    # Of every kind some, however few are wanted.
    yield from (CAUSES[n * 51 % len(CAUSES)] for n in range(min(count, len(CAUSES))))
    words, _ = vocabularies().words
    for number in range(len(CAUSES), count):
        word, kind = words[number % len(words)], KINDS[number % len(KINDS)]
        yield Cause(kind=kind, function=f"{word}_order", module=word)


def _chains(
    causes: Sequence[Cause],
    count: int,
    since: datetime,
    until: datetime,
    numbering: Numbering,
    *,
    is_full: bool,
) -> Iterator[list[dict[str, Any]]]:
    """The causes first, once each, then those that fail often."""
    for number in range(count):
        is_first = not is_full and number < len(causes)
        place = number if is_first else int(random.random() ** 4 * len(causes))
        at = since + (until - since) * random.random()
        yield [_unnumbered(one) for one in Checkout(causes[place], at, numbering).records()]


def _unnumbered(record: dict[str, Any]) -> dict[str, Any]:
    """They are not sent in their order, and nobody should look for what is on its way."""
    return {name: value for name, value in record.items() if name != "sequence"}


def _send_all(url: str, api: Api, chains: list[list[dict[str, Any]]]) -> None:
    with bar() as progress:
        task = progress.add_task("failing chains digested", total=len(chains))
        for first in range(0, len(chains), PIECE):
            part = chains[first : first + PIECE]
            lines = [msgspec.json.encode(record) for chain in part for record in chain]
            bodies = [b"\n".join(lines[n : n + BATCH]) for n in range(0, len(lines), BATCH)]
            load = send_batches(api.port, bodies)
            if load.good < len(bodies):
                raise RuntimeError(f"batches were refused: {load.statuses}")
            progress.advance(task, len(part))
    _wait_until_digested(url)


def _wait_until_digested(url: str) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    with bar() as progress:
        task = progress.add_task("chains that wait for the digest", total=ask(url, WAITING))
        while waiting := ask(url, WAITING):
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"{waiting} chains were not digested; the service's log says why"
                )
            progress.update(task, completed=(progress.tasks[0].total or 0) - waiting)
            time.sleep(0.5)


def _longest(url: str) -> int:
    return max(LONG_CHAINS[0], held(url).records // LONGEST_OF_RECORDS)


def _long_chain(api: Api, length: int, numbering: Numbering) -> str:
    """INFO of five services, then inventory fails, and payment and gateway with it."""
    name = f"pages-bench-{length}"
    base = f"http://127.0.0.1:{api.port}"
    if httpx.get(f"{base}/api/chains/{name}", timeout=60).is_success:
        return name
    chain = Checkout(CAUSES[0], datetime.now(UTC) - timedelta(minutes=10), numbering)
    chain.correlation_id = name
    told = length - 3
    records = [
        chain.record(SERVICES[n % len(SERVICES)], n, f"step {n} of the checkout took {n % 7} ms")
        for n in range(told)
    ]
    records += chain.errors(told)
    body = b"\n".join(msgspec.json.encode(_unnumbered(one)) for one in records)
    answer = httpx.post(
        f"{base}/ingest/logs",
        content=body,
        headers={"Content-Type": "application/x-ndjson"},
        timeout=60,
    )
    if answer.json().get("accepted") != length:
        raise RuntimeError(f"a chain of {length} was not stored: {answer.text[:200]}")
    return name
