"""Signatures as the specification's own libraries make and check them."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.alerts.signing import headers, key_of, signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the specification's own


def test_the_vector_of_the_reference_libraries() -> None:
    signed = signature(
        SECRET,
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=24, max_size=64), st.binary(max_size=200), st.integers(0, 2**33))
def test_whoever_has_the_key_finds_the_same(key: bytes, body: bytes, epoch: int) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    at = datetime.fromtimestamp(epoch, UTC)

    sent = headers(secret, message_id="m", at=at, body=body)

    signed = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert sent["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize(
    "secret",
    [
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_nö",
        "whsec_" + "A" * 100,
    ],
)
def test_a_weak_or_unreadable_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64") as caught:
        key_of(secret)

    assert secret not in str(caught.value).replace("whsec_ and", "")


def test_without_a_secret_there_is_no_signature() -> None:
    sent = headers("", message_id="m", at=datetime(2026, 1, 1, tzinfo=UTC), body=b"")

    assert "webhook-signature" not in sent
    assert sent["idempotency-key"] == sent["webhook-id"] == "m"
