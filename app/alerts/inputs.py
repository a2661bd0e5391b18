"""What people write and read of targets and thresholds over the API."""

from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct

from app.alerts import signing
from app.alerts.model import USUAL_KINDS, KnownScope, QuietHours, Target, TargetKind
from app.alerts.quiet import leaves_time
from app.alerts.sending import LONGEST_URL
from app.errors import AppError
from app.incidents.tables import EventKind
from app.shapes import NO_NUL

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
Names = Annotated[tuple[Name, ...], Meta(max_length=100)]

TARGET_EXAMPLE: Final = {
    "kind": "generic",
    "url": "https://alerts.example.com/prodsentinel",
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "environments": ["prod"],
    "quiet": {"begins": "20:00", "ends": "07:00", "zone": "Europe/Berlin"},
    "urgent": ["regressed"],
}


class TargetRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole target. Empty filters let everything through."""

    kind: TargetKind
    url: Annotated[str, Meta(max_length=LONGEST_URL)] = ""
    """http or https; left out, the stored one stays."""
    secret: Annotated[str, Meta(max_length=200)] = ""
    """`whsec_` and 24 to 64 random bytes in base64; left out, the stored one stays. A generic
    target must have one; Slack knows its messages by the URL."""
    kinds: Annotated[tuple[EventKind, ...], Meta(min_length=1, max_length=len(EventKind))] = (
        USUAL_KINDS
    )
    environments: Names = ()
    services: Names = ()
    known: KnownScope = KnownScope.BOTH
    quiet: QuietHours | None = None
    """Messages wait until they end."""
    urgent: Annotated[tuple[EventKind, ...], Meta(max_length=len(EventKind))] = ()
    """Kinds that do not wait for the end of the quiet hours."""
    enabled: bool = True
    per_minute: Annotated[int, Meta(ge=1, le=600)] = 20
    """Most messages a minute; the rest comes in one summary, which is the last of them."""

    def __post_init__(self) -> None:
        if self.secret:
            signing.key_of(self.secret)
        if self.quiet:
            _check_quiet(self.quiet)

    def row(self) -> dict[str, Any]:
        """The columns it sets."""
        given = msgspec.to_builtins(self)
        kept = {name for name in ("url", "secret") if not given[name]}
        return {name: value for name, value in given.items() if name not in kept}


def _check_quiet(quiet: QuietHours) -> None:
    try:
        ZoneInfo(quiet.zone)
    # A name that is no name of a zone, or of a folder of zones.
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("`zone` names no IANA time zone, such as Europe/Berlin") from error
    if not leaves_time(quiet):
        raise ValueError("the quiet hours leave no time of the week for messages")


class TargetView(Struct, frozen=True, kw_only=True):
    """A target as it may be shown: without its secret, and of its URL where it leads."""

    name: str
    kind: TargetKind
    url: str
    """Scheme and host: the rest may be a secret, as Slack's is."""
    has_secret: bool
    kinds: tuple[EventKind, ...]
    environments: tuple[str, ...]
    services: tuple[str, ...]
    known: KnownScope
    quiet: QuietHours | None
    urgent: tuple[EventKind, ...]
    enabled: bool
    disabled_reason: str
    """Why the service itself disabled it."""
    per_minute: int
    version: int
    """The number in the ETag."""
    created_at: datetime
    changed_at: datetime


def view_of(target: Target) -> TargetView:
    fields = {name: getattr(target, name) for name in target.__struct_fields__}
    secret = fields.pop("secret")
    parts = urlsplit(target.url.reveal())
    place = f"{parts.scheme}://{parts.netloc}/…"
    return TargetView(**{**fields, "url": place}, has_secret=bool(secret))


class TestAnswer(Struct, frozen=True, kw_only=True):
    """What came back of a test message."""

    delivered: bool
    status: int | None
    reason: str
    """Why it counts as failed."""
    answer: str
    """The beginning of what the receiver said."""
    seconds: float


class ThresholdRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    chains_per_hour: Annotated[int, Meta(ge=1, le=1_000_000_000)]
    """From so many failing chains in the last hour on it is told, once until it falls below."""


class ThresholdView(Struct, frozen=True, kw_only=True):
    known_issue_id: str
    chains_per_hour: int
    breached_at: datetime | None
    """Since when it is at or above the threshold."""
    version: int
    changed_at: datetime


class VersionChanged(AppError):
    """Somebody changed it since you read it; read it again and decide anew."""
