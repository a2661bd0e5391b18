"""Log records of a shop for the bench `query`: distinct messages out of many templates, and notes
in words whose frequencies follow Zipf's law, as those of a language do.

A note takes its words by turns from two vocabularies that share none. So of two words of one
vocabulary that stand beside each other every index holds both, and no record the phrase.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate, product
from typing import Any, Final, NamedTuple

import msgspec

from app.normalise.context import Context
from app.normalise.text import json_text
from app.store.batch import SignedRecord
from app.store.ingest import prepare

SERVICES: Final = (
    "gateway", "catalog", "cart", "payment", "inventory", "pricing", "shipping", "notifications",
    "search", "accounts", "fraud", "billing",
)  # fmt: skip
ENVIRONMENT: Final = "production"
RECORDS_IN_CHAIN: Final = (4, 5, 6, 7, 8, 10, 12)
NOTED: Final = 0.3
FAILING: Final = 0.14
"""Of the chains; with one error each these are 2 % of the records."""
VOCABULARY: Final = 12_000
DRAWN: Final = 300_000
CUSTOMERS: Final = 200_000
ORDERS: Final = 20_000_000
NOTE: Final = "; note: "

_OPENINGS: Final = (
    "order {o} accepted", "order {o} priced", "cart of {c} changed", "stock reserved for {o}",
    "charge of {o} authorised", "label printed for {o}", "session of {c} renewed",
    "profile of {c} loaded", "GET /api/orders/{o} answered 200",
    "POST /api/carts/{c} answered 201",
    "cache miss for {c}", "cache hit for {o}", "published OrderPlaced {o}",
    "consumed StockMoved {o}",
    "rules evaluated for {o}", "invoice of {o} written", "mail to {c} queued",
    "discount applied to {o}", "address of {c} verified", "refund of {o} scheduled",
    "search of {c} served", "recommendations for {c} computed", "token of {c} checked",
    "shipment of {o} handed over",
)  # fmt: skip
_ENDINGS: Final = (
    " in {n} ms", " after {n} ms", ", {n} items", ", attempt {n}", " on shard {n}",
    ", offset {n}", " (request took {n} ms)", ", {n} bytes", " by worker {n}", ", version {n}",
)  # fmt: skip
_TEMPLATES: Final = tuple(
    (opening + ending).replace("{o}", "%(o)s").replace("{c}", "%(c)s").replace("{n}", "%(n)d")
    for opening, ending in product(_OPENINGS, _ENDINGS)
)
_ERRORS: Final = (
    ("ConnectionRefusedError", "could not reach the {0} database for order %(o)s"),
    ("TimeoutError", "{0} gave up on order %(o)s after %(n)d ms"),
    ("ValueError", "{0} read an amount that is no number for customer %(c)s"),
    ("KeyError", "{0} has no price list of customer %(c)s"),
    ("PermissionError", "{0} may not write the ledger of order %(o)s"),
)


class Line(NamedTuple):
    """One record of a chain, without its identity."""

    offset: float
    """Seconds after the chain began."""
    service: str
    level: str
    message: str
    attributes: str
    error: int
    """Its place in `errors()`; -1: it is none."""


class ErrorKind(msgspec.Struct, frozen=True):
    """An error that is met again and again, and what the service makes of it."""

    service: str
    message: str
    exception: dict[str, str]
    signed: SignedRecord

    @property
    def signature_id(self) -> str:
        assert self.signed.signature is not None  # noqa: S101 - an error has one
        return self.signed.signature.signature_id

    @property
    def exception_json(self) -> str:
        return json_text(self.exception)


@lru_cache
def errors() -> tuple[ErrorKind, ...]:
    """Five kinds for each service."""
    return tuple(
        _kind(service, type_, message.format(service))
        for service, (type_, message) in product(SERVICES, _ERRORS)
    )


def _kind(service: str, type_: str, message: str) -> ErrorKind:
    frames = (
        f'  File "/srv/{service}/handlers.py", line 41, in handle\n    return work(request)\n'
        f'  File "/srv/{service}/{type_.lower()}.py", line 17, in do_{type_.lower()}\n'
        "    raise failure\n"
    )
    told = f"{service} failed"
    exception = {
        "type": type_,
        "message": told,
        "stacktrace": f"Traceback (most recent call last):\n{frames}{type_}: {told}\n",
    }
    said = message % {"o": "o-1", "c": "c-1", "n": 1}
    raw = {"service": service, "level": "ERROR", "message": said, "exception": exception}
    (signed,), _ = prepare([raw], Context(received_at=datetime.now(UTC)))
    return ErrorKind(service, message, exception, signed)


class Vocabularies(NamedTuple):
    """The words of both kinds, and many of each drawn as often as they occur."""

    words: tuple[list[str], list[str]]
    drawn: tuple[list[str], list[str]]


@lru_cache
def vocabularies() -> Vocabularies:
    """The same ones in every process."""
    chance = random.Random(7)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "or")]
    made: dict[str, None] = {}
    while len(made) < 2 * VOCABULARY:
        made["".join(chance.choices(syllables, k=chance.choice((2, 3, 3, 4))))] = None
    all_words = list(made)
    odd, even = all_words[::2], all_words[1::2]
    weights = list(accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))
    drawn = [chance.choices(words, cum_weights=weights, k=DRAWN) for words in (odd, even)]
    return Vocabularies((odd, even), (drawn[0], drawn[1]))


class Shop:
    """Chains, each unlike the others; one for each process and seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._odd, self._even = vocabularies().drawn
        self._errors = errors()

    def chain(self) -> list[Line]:
        """What the services of one request say, oldest first."""
        chance = self.random.random
        size = RECORDS_IN_CHAIN[int(chance() * len(RECORDS_IN_CHAIN))]
        order, customer = f"o-{int(chance() * ORDERS)}", f"c-{int(chance() ** 3 * CUSTOMERS)}"
        attributes = f'{{"order_id": "{order}", "customer_id": "{customer}", "tenant": "acme"}}'
        failing = int(chance() * size) if chance() < FAILING else -1
        # Few services see most of the requests.
        first = int(chance() ** 2 * len(SERVICES))
        lines = []
        for n in range(size):
            values = {"o": order, "c": customer, "n": int(chance() ** 2 * 5000)}
            offset = (n + chance()) * 0.2
            if n == failing:
                lines.append(self._error(offset, values, attributes))
                continue
            message = _TEMPLATES[int(chance() * len(_TEMPLATES))] % values
            if chance() < NOTED:
                message += self._note()
            service = SERVICES[(first + n // 2) % len(SERVICES)]
            lines.append(Line(offset, service, _level(chance()), message, attributes, -1))
        return lines

    def _note(self) -> str:
        chance, odd, even = self.random.random, self._odd, self._even
        first, second = odd[int(chance() * DRAWN)], even[int(chance() * DRAWN)]
        third, fourth = odd[int(chance() * DRAWN)], even[int(chance() * DRAWN)]
        return f"{NOTE}{first} {second} {third} {fourth}"

    def _error(self, offset: float, values: dict[str, Any], attributes: str) -> Line:
        place = int(self.random.random() ** 2 * len(self._errors))
        kind = self._errors[place]
        level = "CRITICAL" if self.random.random() < 0.05 else "ERROR"  # noqa: PLR2004 - one in twenty
        return Line(offset, kind.service, level, kind.message % values, attributes, place)

    def name(self) -> str:
        """128 random bits, as correlation and record IDs have them."""
        return f"{self.random.getrandbits(128):032x}"

    def chains(self, count: int) -> Iterator[list[Line]]:
        """Chains with so many records together; the last one is cut."""
        while count > 0:
            lines = self.chain()[:count]
            count -= len(lines)
            yield lines


def _level(chance: float) -> str:
    if chance < 0.12:  # noqa: PLR2004 - one in eight
        return "DEBUG"
    return "INFO" if chance < 0.95 else "WARNING"  # noqa: PLR2004 - one in twenty
