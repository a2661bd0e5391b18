"""Errors to signatures: read the error, mask what varies, name what stays. Pure, versioned."""

from app.normalise.record import Frame, ReportedException
from app.signatures.families import Families, Family, FamilyState
from app.signatures.model import ErrorReport, Explanation, Part, RaisedError, Signature
from app.signatures.reading import read_error
from app.signatures.remembered import sign_remembered
from app.signatures.v1.fingerprint import sign, with_fingerprint
from app.signatures.v1.masks import Masked, mask

__all__ = [
    "ErrorReport",
    "Explanation",
    "Families",
    "Family",
    "FamilyState",
    "Frame",
    "Masked",
    "Part",
    "RaisedError",
    "ReportedException",
    "Signature",
    "mask",
    "read_error",
    "sign",
    "sign_text",
]


def sign_text(
    message: str,
    exception: ReportedException | None = None,
    *,
    fingerprint: tuple[str, ...] | None = None,
) -> Signature:
    """Read the error out of a message and what its sender says beside it, and sign it."""
    signature = sign_remembered(message, exception)
    return with_fingerprint(signature, fingerprint) if fingerprint else signature
