import re
from itertools import chain
from random import Random
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.signatures import ReportedException, read_error, sign, sign_text
from scripts.golden import Golden, read_golden

ERRORS = list(chain.from_iterable(read_golden().values()))
ROUNDS = 6
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
