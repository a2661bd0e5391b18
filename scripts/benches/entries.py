"""Known issues as teams would write them, ten thousand of them, the same ones at every run."""

import random
from itertools import islice, product

from app.catalogue.gates import gates_of
from app.catalogue.model import Clause, KnownIssue, Provenance

_THINGS = (
    "order", "payment", "invoice", "session", "user", "tenant", "message", "webhook", "token",
    "coupon", "shipment", "warehouse", "refund", "cart", "catalog", "price", "stock", "address",
    "profile", "subscription", "report", "export", "upload", "thumbnail", "ledger", "payout",
)  # fmt: skip
_PLACES = (
    "PostgreSQL", "Redis", "Kafka", "the gateway", "the scheduler", "S3", "the search index",
    "RabbitMQ", "the mail relay", "Stripe", "the CDN", "Elasticsearch", "the identity provider",
    "MongoDB", "the feature store", "DNS", "the load balancer", "Vault", "the session cache",
)  # fmt: skip
_DEEDS = (
    "acquire", "release", "serialize", "decode", "verify", "publish", "consume", "commit",
    "replay", "reserve", "lock", "resolve", "refresh", "encrypt", "archive", "merge", "index",
)  # fmt: skip
_FAULTS = (
    "Timeout", "Conflict", "Mismatch", "Exhausted", "Denied", "Corrupt", "Expired", "Missing",
    "Overflow", "Duplicate", "Unavailable", "Rejected", "Deadlock", "Truncated",
)  # fmt: skip
_COMMON = ("RuntimeError", "ValueError", "ConnectionError", "TimeoutError", "OperationalError")
_PHRASES = (
    "could not {deed} {thing} in {place}",
    "{thing} {number}: failed to {deed} against {place}",
    "{place} refused to {deed} the {thing}",
    "{thing} was never {deed}ed by {place}",
)
_PATTERNS = (
    r"(?i)(?:timeout|timed out) after \d+ ?m?s while {place} tried to {deed} {thing}",
    r"(?i)\b{thing}[ _-]?(?:id)?\b[^\n]{{0,80}}\b(?:not|never) {deed}ed\b[^\n]{{0,60}}{place}",
    r"{place}: {deed} of {thing} \S+ (?:failed|was refused|is pending): error {number}",
)


def synthetic_entries(count: int) -> list[KnownIssue]:
    """`count` entries, each with one to three alternatives of type, message and pattern."""
    source = random.Random(13)
    subjects = list(product(_THINGS, _PLACES, _DEEDS, range(2)))
    source.shuffle(subjects)
    return [_entry(n, source, subject) for n, subject in enumerate(islice(subjects, count))]


def _entry(n: int, source: random.Random, subject: tuple[str, str, str, int]) -> KnownIssue:
    thing, place, deed, _ = subject
    words: dict[str, object] = {"thing": thing, "place": place, "deed": deed, "number": n}
    makers = source.sample((_typed, _worded, _patterned), k=source.randint(1, 3))
    clauses = tuple(make(source, words) for make in makers)
    rules = Clause(any=clauses) if len(clauses) > 1 else clauses[0]
    return KnownIssue(
        known_issue_id=f"synthetic-{n}",
        title=f"{place} does not {deed} the {thing}",
        symptoms=f"The {thing} stays as it was.",
        causes=f"{place} was asked to {deed} it twice.",
        fix=f"Ask {place} once.",
        rules=rules,
        gates=gates_of(rules),
        provenance=Provenance(
            document="synthetic.md",
            heading_path=(f"Synthetic {n}",),
            first_line=n + 1,
            last_line=n + 1,
            content_hash=f"{n:064x}",
        ),
    )


def _typed(source: random.Random, words: dict[str, object]) -> Clause:
    fault = source.choice(_FAULTS)
    return Clause(
        exception=f"{str(words['thing']).title()}{fault}Error",
        message=str(words["place"]).removeprefix("the "),
    )


def _worded(source: random.Random, words: dict[str, object]) -> Clause:
    message = source.choice(_PHRASES).format(**words)
    return Clause(exception=source.choice(_COMMON), message=message)


def _patterned(source: random.Random, words: dict[str, object]) -> Clause:
    return Clause(text_re2=source.choice(_PATTERNS).format(**words))
