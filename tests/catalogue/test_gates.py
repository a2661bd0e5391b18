import json
import string
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.catalogue.documents import DEFAULT_DOCUMENTS, read_documents
from app.catalogue.gates import Gates, alternatives, gate_of, gates_of, haystack_of
from app.catalogue.matcher import Matcher, subject_of
from app.catalogue.model import Clause, KnownIssue
from app.catalogue.rules import BrokenRule, Subject, compile_clause
from app.normalise.record import ReportedException

LABELLED = [
    json.loads(line)["text"]
    for path in sorted((Path(__file__).parent / "labelled").glob("*.jsonl"))
    for line in path.read_text(encoding="utf-8").splitlines()
]
DEFAULT = read_documents([DEFAULT_DOCUMENTS]).issues
SUBJECTS = [subject_of(text) for text in LABELLED]

WORDS = (
    "Lock",
    "lock",
    "LOCKED",
    "read_only",
    "Error",
    "σίσυφος",
    "ΣΊΣΥΦΟΣ",
    "Straße",
    "\u212aelvin",
    "\u017fet",
)
words = st.sampled_from(WORDS)
texts = st.lists(words | st.text("ab: .\n", max_size=4), max_size=6).map(" ".join)
patterns = st.lists(
    st.sampled_from(
        (
            "(?i:lock)", "lock(?:ed|s)", "(?:read|write)_only", "[ab]+", r"\bError\b", r"\d{0,2}",
            "a{2}", "(?:lock)?", "(lock|read_only)+", "x*", ".", "^", "$", "[[:alpha:]]+",
            "[[:alpha:]]lock", r"\QError\E", "(?i:kelvin)", "(?i:set)", "Straße", "(?i:σίσυφος)",
        )
    ),
    min_size=1,
    max_size=3,
).map("".join)  # fmt: skip


@st.composite
def leaves(draw: st.DrawFn) -> Clause:
    field = draw(st.sampled_from(("exception", "message", "text", "frame", "service")))
    return msgspec.convert({field: draw(words)}, Clause)


by_pattern = patterns.flatmap(
    lambda p: st.sampled_from((Clause(text_re2=p), Clause(message_re2=p), Clause(lines=(p,))))
)
clauses = st.recursive(
    leaves() | by_pattern,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda c: Clause(any=tuple(c))),
        st.lists(inner, min_size=1, max_size=3).map(lambda c: Clause(all=tuple(c))),
        inner.map(lambda c: Clause(not_=c)),
    ),
    max_leaves=6,
)


def opens(clause: Clause, subject: Subject) -> bool:
    return Gates([(0, gate_of(clause))]).opened_by(haystack_of(subject)) == {0}


@settings(max_examples=500)
@given(clauses, texts, words, texts)
@example(Clause(text_re2="[[:alpha:]]lock"), "a lock alock", "", "")
@example(Clause(text_re2="(?i:kelvin)"), "\u212aelvin", "", "")
@example(Clause(text_re2="(?i:set)"), "\u017fet", "", "")
@example(Clause(text="ΟΔΟΣ Δ"), "ΟΔΟΣ Δ", "", "")
@example(Clause(text_re2="(?:lock)?"), "a", "", "")
def test_a_gate_is_open_whenever_its_clause_holds(
    clause: Clause, text: str, type_: str, message: str
) -> None:
    subject = subject_of(text, ReportedException(type=type_, message=message))
    try:
        holds = compile_clause(clause)
    except BrokenRule:
        return

    assert opens(clause, subject) or holds(subject) is None


def test_every_default_rule_that_holds_for_a_labelled_text_has_its_gate_open() -> None:
    parts = [part for issue in DEFAULT if issue.rules for part in alternatives(issue.rules)]
    compiled = [(part, compile_clause(part), gate_of(part)) for part in parts]
    gates = Gates((n, gate) for n, (_, _, gate) in enumerate(compiled))

    for subject in SUBJECTS:
        opened = gates.opened_by(haystack_of(subject))
        shut = [one for n, one in enumerate(compiled) if n not in opened]
        assert [part for part, holds, _ in shut if holds(subject) is not None] == []


def ungated(issues: tuple[KnownIssue, ...]) -> Matcher:
    """The same matcher, with every candidate looked at for every text."""
    matcher = Matcher(issues)
    matcher._gates = Gates((n, None) for n in range(len(matcher._candidates)))
    return matcher


def test_quoted_errors_are_found_with_gates_as_without() -> None:
    foreign = tuple(
        KnownIssue(
            **{
                f: getattr(issue, f)
                for f in KnownIssue.__struct_fields__
                if f not in ("rules", "gates")
            }
        )
        for issue in DEFAULT
    )
    gated, brute = Matcher(foreign), ungated(foreign)

    for subject in SUBJECTS:
        assert gated.match(subject) == brute.match(subject)


def test_alternatives_are_as_one_clause_that_has_them_all() -> None:
    nested = Clause(any=(Clause(text="a"), Clause(any=(Clause(text="b"), Clause(text="c")))))

    assert list(alternatives(nested)) == [Clause(text=one) for one in "abc"]
    assert list(alternatives(Clause(service="s", any=(Clause(text="a"),)))) == [
        Clause(service="s", any=(Clause(text="a"),))
    ]


def test_what_the_whole_rule_excludes_every_alternative_excludes() -> None:
    but = Clause(text="planned")
    rule = Clause(any=(Clause(text="down"), Clause(text="gone")), not_=but)

    assert list(alternatives(rule)) == [
        Clause(all=(Clause(text=one),), not_=but) for one in ("down", "gone")
    ]
    assert gates_of(rule) == (("down",), ("gone",))


@settings(max_examples=300)
@given(clauses, texts)
@example(Clause(any=(Clause(text="a"),), not_=Clause(text="b")), "a b")
def test_alternatives_hold_where_their_rule_does_and_say_the_same(rule: Clause, text: str) -> None:
    subject = subject_of(text)
    try:
        whole = compile_clause(rule)(subject)
    except BrokenRule:
        return

    parts = (compile_clause(part)(subject) for part in alternatives(rule))
    assert next((found for found in parts if found is not None), None) == whole


def test_gates_of_an_older_version_are_made_anew() -> None:
    issue = next(one for one in DEFAULT if len(one.gates) > 1)
    stale = msgspec.structs.replace(issue, gates=issue.gates[:1])

    for sample in issue.samples:
        assert Matcher([stale]).match(subject_of(sample))


@pytest.mark.parametrize(
    ("clause", "gate"),
    [
        (Clause(text_re2=r"(?i)timeout after \d+ ms"), ("timeout after ",)),
        (Clause(text_re2=r"(?:lock|mutex) held"), (" held",)),
        (Clause(text_re2=r"(?:deadlock|mutual exclusion)\d"), ("deadlock", "mutual exclusion")),
        (Clause(exception="asyncpg.PostgresError"), ("postgreserror",)),
        (Clause(service="shop", all=(Clause(text="Busy"),)), ("busy",)),
        (Clause(service="shop"), None),
        (Clause(not_=Clause(text="busy")), None),
        (Clause(text="ab"), None),
        (Clause(text_re2=r"[[:alpha:]]word"), None),
    ],
)
def test_the_gate_is_the_literal_that_opens_least(
    clause: Clause, gate: tuple[str, ...] | None
) -> None:
    assert gates_of(clause) == (gate,)


def test_a_catalogue_without_any_gate_opens_for_all() -> None:
    assert Gates([(0, None), (1, None)]).opened_by("") == {0, 1}
    assert Gates([]).opened_by("anything") == set()


@given(st.text(string.printable, max_size=200))
def test_no_text_opens_what_none_of_its_literals_stands_in(text: str) -> None:
    gates = Gates([(0, frozenset(["deadlock"])), (1, frozenset(["e", "mutex"]))])

    assert gates.opened_by(text) == {
        n
        for n, literals in ((0, ("deadlock",)), (1, ("e", "mutex")))
        if any(x in text for x in literals)
    }
