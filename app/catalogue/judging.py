"""What engineers say of matches, stored, and the signature matched anew in the same transaction."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.matcher import Matcher
from app.catalogue.matching import match_signatures, subject_of_sample
from app.catalogue.model import Verdict
from app.catalogue.queries import (
    forget_match,
    newest_verdict,
    rejected_pairs,
    sample_of,
    save_verdict,
)
from app.errors import AppError, NotFound
from app.preconditions import holds
from app.shapes import NO_NUL

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class NotAMatch(AppError):
    """This entry does not explain this error, so there is nothing to confirm or to reject."""


class UnknownSignature(NotFound):
    """No error with this signature was ever stored."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an engineer says of the pairing of a signature with a known issue."""

    known_issue_id: Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
    verdict: Verdict
    decided_by: Annotated[str, Meta(max_length=200, pattern=NO_NUL)] = ""
    note: Annotated[str, Meta(max_length=2000, pattern=NO_NUL)] = ""


class JudgedMeanwhile(AppError):
    """Somebody judged this error since it was read; read it again and decide anew."""

    def __init__(self, newest: Any) -> None:
        self.newest = newest
        """Verdict, `decided_by`, `decided_at` and note; None: there is none any more."""
        super().__init__()


def version_of(decided_at: datetime | None) -> int:
    """Of all that was said of an error: when the last of it was, in µs since 1970; 0: nothing."""
    return (decided_at - _EPOCH) // timedelta(microseconds=1) if decided_at else 0


async def hold(session: AsyncSession, signature_id: str, if_match: str) -> None:
    """Let nobody else judge this error until the end of the transaction.

    Raises `JudgedMeanwhile` when what was said of it is no longer of the version in `if_match`.
    """
    newest = await newest_verdict(session, signature_id)
    if not holds(if_match, version_of(newest.decided_at if newest else None)):
        raise JudgedMeanwhile(newest)


async def judge(
    session: AsyncSession, matcher: Matcher, signature_id: str, judgement: Judgement
) -> None:
    """Confirm or reject a match. Raises `UnknownSignature`, `NotAMatch`."""
    sample, ranked = await _ranked(session, matcher, signature_id)
    if judgement.known_issue_id not in ranked:
        raise NotAMatch
    await _store(session, matcher, signature_id, sample, [judgement])


async def choose(
    session: AsyncSession, matcher: Matcher, signature_id: str, judgement: Judgement
) -> None:
    """Confirm a match that is not the first: those that stand before it are rejected.

    Raises `UnknownSignature`, `NotAMatch`.
    """
    sample, ranked = await _ranked(session, matcher, signature_id)
    if judgement.known_issue_id not in ranked:
        raise NotAMatch
    rejected = await rejected_pairs(session, [signature_id])
    before = ranked[: ranked.index(judgement.known_issue_id)]
    said = [
        msgspec.structs.replace(judgement, known_issue_id=name, verdict=Verdict.REJECTED)
        for name in before
        if (signature_id, name) not in rejected
    ]
    await _store(session, matcher, signature_id, sample, [*said, judgement])


async def _ranked(
    session: AsyncSession, matcher: Matcher, signature_id: str
) -> tuple[dict[str, object], list[str]]:
    if "\0" in signature_id:
        raise UnknownSignature
    # For its lock: whoever judges at the same time comes after this.
    await newest_verdict(session, signature_id)
    sample = await sample_of(session, signature_id)
    if sample is None:
        raise UnknownSignature
    found = matcher.match(subject_of_sample(sample))
    return sample, [match.known_issue_id for match in found]


async def _store(
    session: AsyncSession,
    matcher: Matcher,
    signature_id: str,
    sample: dict[str, object],
    said: list[Judgement],
) -> None:
    for one in said:
        values = msgspec.structs.asdict(one)
        await save_verdict(session, {**values, "signature_id": signature_id, "sample": sample})
    await forget_match(session, signature_id)
    await match_signatures(session, matcher, among=[signature_id])
