"""What people ask, with the bars it is held against; each request another one."""

import asyncio
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import asyncpg
import msgspec

from app.database import asyncpg_dsn
from scripts.benches.loads import get
from scripts.benches.query_records import ENVIRONMENT, NOTE, SERVICES, vocabularies

WEEK: Final = timedelta(days=7)
SAMPLE_SHARE: Final = 40_000
SAMPLED: Final = 5_000
RARE: Final = slice(300, 6_000)
"""Ranks of words that are rare, of which every partition yet has some."""
SAMPLE: Final = f"""
    SELECT correlation_id, occurred_at, message, attributes->>'order_id' AS order_id,
        attributes->>'customer_id' AS customer_id
    FROM log_records TABLESAMPLE SYSTEM ({{share}})
    WHERE environment = '{ENVIRONMENT}' AND occurred_at > now() - interval '7 days'
    ORDER BY random() LIMIT {SAMPLED}
"""  # noqa: S608 - constants
SPLITS: Final = ("", "level", "service")


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """A record that is stored."""

    correlation_id: str
    occurred_at: datetime
    note: tuple[str, ...]
    order_id: str
    customer_id: str


class Samples(msgspec.Struct, frozen=True):
    """Records of every day, in random order."""

    records: list[Sampled]
    noted: list[Sampled]

    def any(self) -> Sampled:
        return random.choice(self.records)


Ask = Callable[[Samples], str]


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table: milliseconds, a path that is asked, and what it has to read."""

    name: str
    title: str
    p50: float
    p99: float
    path: Ask
    reads: str
    is_scan: bool = False
    finds: bool | None = True
    """Whether there is something to find; None: it depends."""


def _logs(q: str, **span: Any) -> str:
    return _path("/api/logs", q=q, **span)


def _path(path: str, **given: Any) -> str:
    named = {name.rstrip("_"): value for name, value in given.items() if value != ""}
    told = {n: v.isoformat() if isinstance(v, datetime) else v for n, v in named.items()}
    return f"{path}?{urlencode(told)}"


def _now() -> datetime:
    return datetime.now(UTC)


def _correlation(samples: Samples) -> str:
    return _logs(f"correlation:{samples.any().correlation_id}")


def _chain(samples: Samples) -> str:
    return f"/api/chains/{samples.any().correlation_id}"


def _errors(_: Samples) -> str:
    until = _now() - timedelta(seconds=random.uniform(0, 600))
    level = random.choice((">=error", ">=ERROR"))
    return _logs(f"service:{random.choice(SERVICES)} level:{level}", to=until, limit=100)


def _two_words(samples: Samples) -> str:
    """Now frequent, now rare: as they stand in a random note."""
    first, _, _, second = random.choice(samples.noted).note
    since = _now() - timedelta(hours=1, seconds=random.uniform(0, 60))
    return _logs(f"{first} {second}", from_=since)


def _week() -> datetime:
    return _now() - WEEK + timedelta(seconds=random.uniform(0, 3_000))


def _rare_phrase(samples: Samples) -> str:
    note = random.choice(samples.noted).note
    return _logs(f'"{" ".join(note[:3])}"', from_=_week())


def _absent_phrase(_: Samples) -> str:
    """Two words of one vocabulary, which stand beside each other nowhere."""
    words = random.choice(vocabularies().words)[RARE]
    return _logs(f'"{" ".join(random.sample(words, 2))}"', from_=_week())


def _attribute(samples: Samples) -> str:
    record = samples.any()
    q = random.choice(
        (f"attr.order_id:{record.order_id}", f"attr.customer_id:{record.customer_id}")
    )
    since = record.occurred_at - timedelta(hours=random.uniform(1, 23))
    return _logs(q, from_=since, to=since + timedelta(days=1))


def _histogram(_: Samples) -> str:
    split, buckets = random.choice(SPLITS), random.randint(40, 120)
    return _path("/api/logs/histogram", from_=_week(), buckets=buckets, split=split)


INDEXED: Final = "an index"
HOT: Final = "closed days and windows, a scan of the rest"
KINDS: Final = (
    Kind(
        name="correlation",
        title="by correlation ID",
        p50=5, p99=20, path=_correlation, reads=INDEXED,
    ),
    Kind(
        name="chain",
        title="by correlation ID, the chain",
        p50=5, p99=20, path=_chain, reads=INDEXED,
    ),
    Kind(
        name="errors",
        title="newest 100 of a service at level >= error",
        p50=20, p99=80, path=_errors, reads=INDEXED,
    ),
    Kind(
        name="words",
        title="two words over the last hour",
        p50=80, p99=300, path=_two_words, reads="windows, a scan of the rest", is_scan=True,
        finds=None,
    ),
    Kind(
        name="rare",
        title="a rare phrase over 7 days",
        p50=300, p99=1_000, path=_rare_phrase, reads=HOT, is_scan=True,
    ),
    Kind(
        name="absent",
        title="a phrase that does not occur, 7 days",
        p50=500, p99=1_500, path=_absent_phrase, reads=HOT, is_scan=True, finds=False,
    ),
    Kind(
        name="attribute",
        title="attribute equality over a day",
        p50=200, p99=800, path=_attribute, reads=HOT, is_scan=True,
    ),
    Kind(
        name="histogram",
        title="histogram over 7 days",
        p50=150, p99=500, path=_histogram, reads="counts",
    ),
)  # fmt: skip


def requests_of(kind: Kind, samples: Samples, count: int) -> list[bytes]:
    """So many, each another."""
    return [get(kind.path(samples)) for _ in range(count)]


def sampled(url: str, stored: int) -> Samples:
    """Some thousand of the records that are stored."""
    records = list(asyncio.run(_read(url, min(100.0, SAMPLE_SHARE * 100 / stored))))
    noted = [record for record in records if record.note]
    return Samples(records, noted)


async def _read(url: str, share: float) -> Iterator[Sampled]:
    connection = await asyncpg.connect(asyncpg_dsn(url))
    try:
        rows = await connection.fetch(SAMPLE.format(share=share))
    finally:
        await connection.close()
    return (
        Sampled(
            correlation_id=row["correlation_id"],
            occurred_at=row["occurred_at"],
            note=tuple(row["message"].partition(NOTE)[2].split()),
            order_id=row["order_id"],
            customer_id=row["customer_id"],
        )
        for row in rows
    )
