"""What is said of a chain above its waterfall. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from app.correlate.model import GapKind, Skew
from app.pages.chain.axis import wrong_clocks
from app.pages.chain.waterfall import Waterfall
from app.pages.wording import exact, span
from app.query.chain_views import ChainView
from app.query.views import ErrorView, RecordView
from app.signatures.reading.reader import read_error

LONGEST_TITLE: Final = 200


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What started a failure, in its own words."""

    headline: str
    """Type and words of the exception that was raised first."""
    logged: str
    """The message it was logged with; empty when the headline says it."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    causes: tuple[Cause, ...]
    """Of the roots, in their order."""
    start: datetime
    length: timedelta
    """Without the pauses between its runs."""
    errors: int
    environments: tuple[str, ...]
    releases: tuple[str, ...]
    notes: tuple[str, ...]
    """What a reader must know of how it is drawn."""


def summary_of(chain: ChainView, waterfall: Waterfall) -> Summary:
    """`chain` with at least one record."""
    causes = tuple(_causes(chain))
    return Summary(
        title=_title(chain, causes),
        causes=causes,
        start=waterfall.axes[0].start,
        length=waterfall.length,
        errors=len(chain.errors),
        environments=_names(one.environment for one in chain.records),
        releases=_names(
            f"{one.service} {one.release}" if one.release else None for one in chain.records
        ),
        notes=tuple(_notes(chain, runs=len(waterfall.axes))),
    )


def _title(chain: ChainView, causes: Sequence[Cause]) -> str:
    if causes:
        return causes[0].headline
    return chain.findings[0].title if chain.findings else "Nothing failed"


def _causes(chain: ChainView) -> Iterator[Cause]:
    wanted = {root.error.record_id for root in chain.roots}
    records = {one.record_id: one for one in chain.records if one.record_id in wanted}
    for root in chain.roots:
        error = root.error
        headline = _headline(error, records.get(error.record_id))
        logged = " ".join(error.message.split())
        yield Cause(headline=headline, logged="" if logged in headline else error.message)


def _headline(error: ErrorView, record: RecordView | None) -> str:
    """What it said itself; the title of its signature has placeholders for all that varies."""
    causes = read_error(record.message, record.exception).errors if record else ()
    if not causes:
        return error.title
    first = causes[0]
    told = ": ".join(part for part in (first.type, " ".join(first.message.split())) if part)
    return told if len(told) <= LONGEST_TITLE else f"{told[: LONGEST_TITLE - 1]}…"


def _names(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def _notes(chain: ChainView, *, runs: int) -> Iterator[str]:
    if chain.from_evidence:
        yield (
            "The records are older than what is kept. This is what an incident kept of them: "
            "what led to the error."
        )
    for skew in wrong_clocks(chain.calls, chain.skews).values():
        yield _of_skew(skew)
    missing = sum(gap.records for gap in chain.gaps if gap.kind is GapKind.MISSING_RECORDS)
    if missing:
        yield (
            f"{exact(missing)} {'record' if missing == 1 else 'records'} that senders numbered "
            "never arrived; the hatched rows stand where they are missing."
        )
    if chain.evidence_incomplete and chain.roots and not chain.capped:
        yield "What is missing might tell of another root, so none is called certain."
    if runs > 1:
        yield (
            f"This ID was used {runs} times, more than an hour apart: each use is drawn on a time "
            "axis of its own."
        )


def _of_skew(skew: Skew) -> str:
    direction = "ahead of" if skew.seconds > 0 else "behind"
    clock = f"{skew.service} ({skew.instance})" if skew.instance else skew.service
    told = span(timedelta(seconds=abs(skew.seconds)))
    return (
        f"The clock of {clock} is {told} {direction} {skew.ahead_of}'s: its records are drawn in "
        "the order of cause, and keep the times they were sent with."
    )
