"""The shapes that the signature room takes in and gives out."""

import msgspec

from app.normalise.record import Frame


class RaisedError(msgspec.Struct, frozen=True, kw_only=True):
    """One exception: its type, its message and its calls, outermost first, origin last."""

    type: str
    message: str = ""
    frames: tuple[Frame, ...] = ()


class ErrorReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was read out of a record: the chain of causes, root cause first.

    `errors` is empty when the text holds no exception; then `message` is all there is.
    """

    message: str
    errors: tuple[RaisedError, ...] = ()
    language: str = ""
    """`python`, `javascript`, `jvm`, `dotnet`, `go`, `ruby`, `php`, `rust`, `postgresql`,
    `nginx`, `keyvalue`, `json`, or empty for prose."""
    code: str = ""
    """SQLSTATE, errno name, HTTP status: the machine-readable part, when the text has one."""
    truncated: bool = False


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a fingerprint was made from: what it is, its normalised value, where it stood."""

    name: str
    value: str
    origin: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why this signature and no other: for people, stored beside it."""

    variant: str
    """Which rule decided: `custom`, `frames`, `type-and-message` or `message`."""
    parts: tuple[Part, ...]
    masked: dict[str, int] = {}
    """How many values of each kind (`uuid`, `number`, …) were masked in the message."""
    notes: tuple[str, ...] = ()


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of an error."""

    signature_id: str
    """`v1:` and 32 hex digits."""
    version: str
    type: str
    """Exception type of the root cause as reported; empty for a plain message."""
    title: str
    """One line for people: type and masked message, at most 200 characters."""
    message: str
    """Masked message of the root cause, at most 1,000 characters."""
    culprit: str
    """`function (module)` of the in-app origin frame, or empty."""
    callee: str
    """Identity of type and origin frame: 16 hex digits, empty when there are no frames."""
    caller: str
    """Identity of the whole in-app path: 16 hex digits, empty when there are no frames."""
    code: str = ""
    """Machine-readable part: SQLSTATE, errno, HTTP status; or empty."""
    explanation: Explanation
