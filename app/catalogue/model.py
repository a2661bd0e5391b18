"""The shapes of the catalogue: a known issue, its rules, and a match with its evidence."""

import enum

import msgspec


class Tier(enum.StrEnum):
    """How sure a match is."""

    EXACT = "exact"
    PROBABLE = "probable"
    SUGGESTED = "suggested"


class Verdict(enum.StrEnum):
    """What an engineer says of a match."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class Clause(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One rule: all that it names must hold. An empty clause is refused by the compiler.

    `exception`, `message` and `message_re2` of one clause speak of the same error of the chain
    of causes.
    """

    exception: str = ""
    """Type: its last component, or, when this has a dot, its full name or the end of it."""
    message: str = ""
    """Substring of the message, in that case."""
    message_re2: str = ""
    frame: str = ""
    """Substring of `module function` of any frame."""
    text: str = ""
    """Substring of the whole error text."""
    text_re2: str = ""
    lines: tuple[str, ...] = ()
    """Substrings of lines of the error text, in this order, each on a later line."""
    service: str = ""
    level: str = ""
    release: str = ""
    """Version specifiers (PEP 440), such as `>=2.0,<3`; a record without a release may be any."""
    attribute: dict[str, str] = {}
    """Attributes of the record by name, compared as text; `*` stands for any value."""
    any: tuple["Clause", ...] = ()
    all: tuple["Clause", ...] = ()
    not_: "Clause | None" = msgspec.field(default=None, name="not")


class ChainRule(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One rule on a whole chain; exactly one of its kinds is given. Times read `30s`, `500ms`.

    `first` then `then` within a time; `first` without `without` within a time; records equal in
    `same` (an attribute, or `message` for the masked one) at least `times` times, among those
    that `of` holds for; attribute `backwards` running backwards; attribute `duration` (in ms), or
    without one the chain itself, `slower_than` a time.
    """

    of: Clause | None = None
    first: Clause | None = None
    then: Clause | None = None
    without: Clause | None = None
    within: str = ""
    same: str = ""
    times: int = 0
    backwards: str = ""
    duration: str = ""
    slower_than: str = ""


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where in which document an entry stands; lines count from 1 and include both ends."""

    document: str
    heading_path: tuple[str, ...]
    first_line: int
    last_line: int
    content_hash: str
    """SHA-256 of the entry's lines, 64 hex digits."""
    origin: str = ""
    """The document and heading it was drawn from, as the entry itself says."""


class Phrase(msgspec.Struct, frozen=True, kw_only=True):
    """An error text that a document quotes, and the line where it does."""

    text: str
    line: int


class KnownIssue(msgspec.Struct, frozen=True, kw_only=True):
    """A catalogue entry. Texts are Markdown."""

    known_issue_id: str
    title: str
    symptoms: str
    causes: str
    fix: str
    provenance: Provenance
    explicit: bool = True
    """Its author named it `{#id}`; otherwise the name was made from the title."""
    rules: Clause | None = None
    """None: it is found by its prose alone."""
    rules_line: int = 0
    """Where in the document the rules begin; 0 when there are none."""
    chain_rules: tuple[ChainRule, ...] = ()
    lesson: str = ""
    caution: str = ""
    severity: str | None = None
    tags: tuple[str, ...] = ()
    affected_files: tuple[str, ...] = ()
    gates: tuple[tuple[str, ...] | None, ...] = ()
    """For each alternative of the rules the literals of which one stands in every text it holds
    for; None when there are none."""
    phrases: tuple[Phrase, ...] = ()
    samples: tuple[str, ...] = ()
    near_misses: tuple[str, ...] = ()
    written: str = ""
    """Its lines as they stand in the document; empty in the entries that a matcher holds."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something in a document that could not be used, named so that its author finds it."""

    document: str
    line: int
    reason: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Why an entry matched: the clause that held, and the part of the error text it held on."""

    clause: str
    quote: str
    line: int = 0
    """The line of the entry's document that says so: of the quotation, or where its rules begin.
    0 when the rules are borrowed."""
    start: int = -1
    """Where the quote begins in the error text, in characters; -1 when it is not part of it."""


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A signature held against one known issue."""

    known_issue_id: str
    tier: Tier
    score: float
    evidence: tuple[Evidence, ...]
    borrowed_from: str = ""
    """The default entry whose rules held, when the entry itself has none."""
    lost: str = ""
    """Why a match that is not the first is not the first."""
