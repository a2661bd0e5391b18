"""Errors to signatures: read the error, mask what varies, name what stays. Pure, versioned."""

from app.signatures.model import (
    ErrorReport,
    Explanation,
    Frame,
    Part,
    RaisedError,
    Signature,
)
from app.signatures.v1.fingerprint import sign
from app.signatures.v1.masks import Masked, mask

__all__ = [
    "ErrorReport",
    "Explanation",
    "Frame",
    "Masked",
    "Part",
    "RaisedError",
    "Signature",
    "mask",
    "sign",
]
