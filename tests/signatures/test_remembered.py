import re
from collections.abc import Callable
from itertools import chain
from random import Random
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.signatures import ReportedException, read_error, remembered, sign, sign_text
from scripts.golden import Golden, read_golden

ERRORS = list(chain.from_iterable(read_golden().values()))
ROUNDS = 6
Shown = Callable[[list[str]], tuple[str, ReportedException | None]]
WORDS = st.sampled_from(
    (
        "order 17",
        "404",
        "returned 500",
        "status: 200",
        "sha256",
        "sha999",
        "utf8 s3",
        "ex3",
        "0x17",
        "[Errno 111]",
        "(1062, 'Duplicate entry')",
        "ValueError: connection to 10.0.0.17:5432",
        "HTTP/1.1 503 Service Unavailable",
        "#012",
        "\\u0041",
        "exit code 137",
        "step2",
        "line 12,",
        "2026-11-21 12:30:01",
        "550e8400-e29b-41d4-a716-446655440000",
        "Order/550e8400-e29b-41d4-a716-446655440000",
        "python3.12",
        "1.5 MB",
        "12 ms",
        "-3",
        "99%",
        "level=50",
        "<134>1",
        '{"level":50,"msg":"gone 12"}',
        "ERROR",
        "Exception",
        "ORA-00942:",
        "SQLSTATE[42P01]",
    )
)


SAID = st.sampled_from(("", "eof {}", "{}", "read {}", "read {} of {}", "{}: eof {}", "{} {}"))
DIGITS = st.sampled_from(("1", "12", "0123456789"))
"""All equal, often equal, seldom equal."""


def other_digits(text: str, random: Random) -> str:
    text = re.sub(
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        lambda _: str(UUID(int=random.getrandbits(128))),
        text,
    )
    return re.sub("[0-9]", lambda _: random.choice("0123456789"), text)


def met_before(
    message: str, exception: ReportedException | None, random: Random
) -> list[tuple[str, ReportedException | None]]:
    """The same error with other digits, some of them as they were."""
    found = []
    for _ in range(ROUNDS):
        other = exception
        if exception is not None and isinstance(exception.stacktrace, str):
            other = ReportedException(
                type=exception.type,
                message=other_digits(exception.message, random),
                stacktrace=other_digits(exception.stacktrace, random),
            )
        found.append((other_digits(message, random), other))
    return [*found, (message, exception)]


@pytest.mark.parametrize("golden", ERRORS, ids=lambda golden: golden.group)
def test_what_was_met_before_changes_no_signature_of_a_golden_error(golden: Golden) -> None:
    random = Random(golden.group)  # noqa: S311 - the same digits every time

    for message, exception in met_before(golden.message, golden.exception, random):
        assert sign_text(message, exception) == sign(read_error(message, exception))


@given(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), st.randoms(use_true_random=False))
@example("user sha999 gone", Random(3))  # noqa: S311
@example("Error in order #099 of bob", Random(3))  # noqa: S311
@example("a 999 Not Found b", Random(3))  # noqa: S311
def test_what_was_met_before_changes_no_signature(text: str, random: Random) -> None:
    for message, _ in met_before(text, None, random):
        assert sign_text(message) == sign(read_error(message))


def forget() -> None:
    remembered._met.clear()
    remembered._proved.clear()
    remembered._refuted.clear()


def with_numbers(texts: list[str], lengths: list[int], digits: str, random: Random) -> list[str]:
    """The texts, each number of the length that is given for it."""
    lengths_left = iter(lengths)
    return [
        re.sub(
            r"\{\}",
            lambda _: "".join(random.choice(digits) for _ in range(next(lengths_left))),
            text,
        )
        for text in texts
    ]


def as_fields(texts: list[str]) -> tuple[str, ReportedException | None]:
    message, told, *_ = texts
    return message, ReportedException(type="", message=told)


def as_chain(texts: list[str]) -> tuple[str, ReportedException | None]:
    told = ",".join(f'{{"message":"{text}"}}' for text in texts[1:])
    return f'{{"msg":"{texts[0]}","error":[{told}]}}', None


@pytest.mark.parametrize("shown", [as_fields, as_chain])
@given(
    texts=st.lists(SAID, min_size=3, max_size=3),
    lengths=st.lists(st.integers(1, 3), min_size=6, max_size=6),
    learned=DIGITS,
    asked=DIGITS,
    random=st.randoms(use_true_random=False),
)
def test_numbers_that_were_equal_are_not_taken_for_equal(  # noqa: PLR0917
    shown: Shown, texts: list[str], lengths: list[int], learned: str, asked: str, random: Random
) -> None:
    forget()
    met = shown(with_numbers(texts, lengths, learned, random))
    other = shown(with_numbers(texts, lengths, asked, random))

    for message, exception in (met, met, met, other, other, other, met):
        assert sign_text(message, exception) == sign(read_error(message, exception))


@pytest.mark.parametrize(
    ("met", "other"),
    [
        (["read 12", "read 12"], ["read 34", "read 12"]),
        (["read 34", "read 12"], ["read 12", "read 12"]),
        (["read 12", "2"], ["read 12", "3"]),
        (["read 12", "3"], ["read 12", "2"]),
        (["2", "12"], ["3", "12"]),
        (["x", "eof 12", "eof 12"], ["x", "eof 12", "eof 13"]),
        (["x", "eof 12", "eof 13"], ["x", "eof 12", "eof 12"]),
        (["1 2 3 4 5 6 7 8 9 0 7", "7"], ["1 2 3 4 5 6 7 8 9 0 7", "8"]),
        (["1 2 3 4 5 6 7 8 9 0 7", "8"], ["1 2 3 4 5 6 7 8 9 0 7", "7"]),
    ],
)
@pytest.mark.parametrize("shown", [as_fields, as_chain])
def test_the_same_number_twice_and_two_numbers_are_two_errors(
    shown: Shown, met: list[str], other: list[str]
) -> None:
    forget()
    for _ in range(3):
        sign_text(*shown(met))

    assert sign_text(*shown(other)) == sign(read_error(*shown(other)))


def test_a_shape_is_remembered_where_equal_numbers_decide_nothing() -> None:
    exception = ReportedException(type="ValueError", message="order 12 is gone")
    for _ in range(2):
        sign_text("order 12 failed", exception)

    assert sign_text("order 34 failed", exception) is sign_text("order 56 failed", exception)


@given(st.text(alphabet='a1 \x1e\n:{}"', max_size=20), st.text(alphabet="b2\x1e", max_size=5))
def test_separators_in_a_text_are_a_text(message: str, type_: str) -> None:
    exception = ReportedException(type=type_, message=message)

    for _ in range(3):
        assert sign_text(message) == sign(read_error(message))
        assert sign_text(message, exception) == sign(read_error(message, exception))


def test_a_message_seen_before_gives_the_very_same_signature() -> None:
    first, second, third = (sign_text(f"ValueError: order {n} is gone") for n in (7, 8, 9))

    assert first == second
    assert third is sign_text("ValueError: order 4 is gone")
