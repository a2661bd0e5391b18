import pytest

from app.catalogue.gates import Gates, haystack_of
from app.catalogue.matcher import subject_of
from app.catalogue.model import Evidence, Phrase
from app.catalogue.quotes import compile_phrase


def found(phrase: str, text: str) -> tuple[Evidence, ...] | None:
    """The evidence, when gate and predicate both let the text through."""
    compiled = compile_phrase(Phrase(text=phrase, line=7))
    assert compiled is not None
    holds, gate = compiled
    subject = subject_of(text)
    return holds(subject) if Gates([(0, gate)]).opened_by(haystack_of(subject)) else None


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("kettle overflowed in pantry", "12:00 kettle overflowed in pantry"),
        ("kettle overflowed in pantry", "KETTLES overflowing in the pantry, again"),
        ("QueuePool limit overflow", "queue_pool limit overflow 10"),
        ("read-only brewery cluster", "ReadOnly brewery cluster"),
        ("hoping pantry kettle", "hopes for the pantry kettle"),
        ("possible pantry kettle", "possibility of a pantry kettle"),
        ("brewery capability revoked", "brewery capabilities revoked"),
    ],
)
def test_the_same_words_in_the_same_order_are_a_quotation(phrase: str, text: str) -> None:
    assert found(phrase, text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kettle overflowed",
        "pantry overflowed in kettle",
        "kettle overflowed\nin pantry",
        "teapot overflowed in pantry",
    ],
)
def test_other_words_another_order_or_several_lines_are_none(text: str) -> None:
    assert found("kettle overflowed in pantry", text) is None


def test_a_common_word_that_differs_ends_what_follows_it() -> None:
    phrase = "kettle of type pantry is not found"

    assert found(phrase, "kettle of type pantry is not found") is not None
    assert found(phrase, "kettle in a pantry was found") is None


def test_the_evidence_is_the_line_of_the_error_and_of_the_document() -> None:
    (evidence,) = (
        found("kettle overflowed in pantry", "a\n  kettle overflowed in pantry  \nb") or ()
    )

    assert evidence.quote == "kettle overflowed in pantry"
    assert evidence.clause == "quoted: kettle overflowed in pantry"
    assert evidence.line == 7


def test_in_a_trace_only_what_the_errors_say_is_looked_at() -> None:
    trace = (
        "Traceback (most recent call last):\n"
        '  File "kettle_overflowed_in_pantry.py", line 1, in f\n'
        "    f()\nValueError: {}"
    )

    assert found("kettle overflowed in pantry", trace.format("tea")) is None
    assert found("kettle overflowed in pantry", trace.format("kettle overflowed in pantry"))


@pytest.mark.parametrize("text", ["", "error", "failed to connect", "kettle", "kettle kettle"])
def test_a_phrase_of_fewer_than_two_rare_words_proves_nothing(text: str) -> None:
    assert compile_phrase(Phrase(text=text, line=1)) is None
