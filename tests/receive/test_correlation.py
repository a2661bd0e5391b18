import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.receive.correlation import correlation_of_request, safe_token, trace_id_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def test_a_trace_parent_gives_its_trace_id() -> None:
    assert trace_id_of(PARENT) == TRACE


def test_a_later_version_with_more_fields_is_still_read() -> None:
    assert trace_id_of(f"01-{TRACE}-b7ad6b7169203331-01-more") == TRACE


@pytest.mark.parametrize(
    "header",
    [
        "",
        "junk",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-b7ad6b7169203331-01",
        f"00-{TRACE}-b7ad6b7169203331-01-more",
        PARENT.upper(),
    ],
)
def test_an_invalid_trace_parent_gives_none(header: str) -> None:
    assert trace_id_of(header) is None


def test_the_trace_parent_comes_before_the_other_headers() -> None:
    headers = {b"traceparent": PARENT, b"x-correlation-id": "c", b"x-request-id": "r"}

    assert correlation_of_request(headers) == TRACE
    assert correlation_of_request({**headers, b"traceparent": "junk"}) == "c"
    assert correlation_of_request({b"x-request-id": "r"}) == "r"
    assert correlation_of_request({}) is None


@given(st.one_of(st.text(), st.integers(), st.none(), st.floats()))
def test_a_safe_token_is_short_printable_ascii(value: object) -> None:
    token = safe_token(value)

    assert token is None or (0 < len(token) <= 128 and token.isascii() and token.isprintable())


def test_a_number_is_a_token() -> None:
    assert safe_token(42) == "42"
