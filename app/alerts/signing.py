"""Signatures of messages: Standard Webhooks 1.0.0, symmetric.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from typing import Final

PREFIX: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)


def key_of(secret: str) -> bytes:
    """The key that a secret `whsec_…` holds. Raises `ValueError`, which does not show it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or len(key) not in _KEY_BYTES:
        raise ValueError("a secret is whsec_ and then 24 to 64 random bytes in base64")
    return key


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; epoch seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()


def headers(secret: str, *, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """All of a message; without a secret it is not signed."""
    timestamp = int(at.timestamp())
    found = {
        "content-type": "application/json",
        "user-agent": "ProdSentinel",
        "idempotency-key": message_id,
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
    }
    if secret:
        found["webhook-signature"] = signature(
            secret, message_id=message_id, timestamp=timestamp, body=body
        )
    return found
