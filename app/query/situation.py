"""The situation as one answer: what fails, what it hurts, who is heard of and what is missing."""

from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.query import failing_queries, overview_queries, service_queries
from app.query.buckets import bucket_width, starts_of
from app.query.failing_queries import Hurting, Trend
from app.query.list_views import SenderGaps
from app.query.queries import documentation_debt
from app.query.service_queries import ServiceSum
from app.query.slices import Span
from app.query.views import Debt

BUCKETS: Final = 100
SPARKS: Final = 28
MOST_SERVICES: Final = 200
LINES: Final = 10
DEBTS: Final = 5
SILENT_AFTER: Final = timedelta(minutes=15)
FAILING_FROM: Final = 0.05
"""Of its records are errors."""
_HOUR: Final = timedelta(hours=1)
_FINEST: Final = timedelta(seconds=failing_queries.FINEST)


class HurtingLine(msgspec.Struct, frozen=True, kw_only=True):
    """An incident with its errors over the window."""

    incident: Hurting
    errors: tuple[int, ...]


class ServiceLine(msgspec.Struct, frozen=True, kw_only=True):
    service: ServiceSum
    state: Literal["failing", "silent", "well"]


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    since: datetime
    width: timedelta
    """Of a bucket of the trend."""
    trend: tuple[Trend, ...]
    hurting: tuple[HurtingLine, ...]
    """By their failing chains of the window."""
    statuses: dict[str, int]
    """How many incidents there are of each, whenever they were."""
    debt_total: int
    debt: tuple[Debt, ...]
    services: tuple[ServiceLine, ...]
    """Those that need somebody first."""
    counted_until: datetime | None
    gaps: tuple[SenderGaps, ...]

    @property
    def known(self) -> int:
        return sum(one.known for one in self.trend)

    @property
    def unknown(self) -> int:
        return sum(one.unknown for one in self.trend)

    @property
    def explained(self) -> float | None:
        """0 to 1; None when nothing failed."""
        failed = self.known + self.unknown
        return self.known / failed if failed else None


async def read_situation(session: AsyncSession, *, since: datetime, now: datetime) -> Situation:
    """Of the time since this whole hour, in a number of statements that never changes."""
    span = Span(since=since, until=now)
    width = max(_FINEST, bucket_width(span, most=BUCKETS))
    hurting = await failing_queries.hurting(session, since=since, limit=LINES)
    counted = await service_queries.counted_until(session)
    debt_total, _ = await overview_queries.debt_totals(session)
    return Situation(
        since=since,
        width=width,
        trend=tuple(await failing_queries.trend(session, list(starts_of(span, width)), width)),
        hurting=await _with_errors(session, hurting, span),
        statuses=await overview_queries.statuses(session),
        debt_total=debt_total,
        debt=tuple(await documentation_debt(session, limit=DEBTS)),
        services=await _services(session, since=since, now=counted or now),
        counted_until=counted,
        gaps=tuple(
            await service_queries.list_gaps(session, service=None, after=("", ""), limit=LINES)
        ),
    )


async def _with_errors(
    session: AsyncSession, hurting: list[Hurting], span: Span
) -> tuple[HurtingLine, ...]:
    width = max(_HOUR, bucket_width(span, most=SPARKS))
    starts = list(starts_of(span, width))
    ids: list[UUID] = [one.incident_id for one in hurting]
    errors = await failing_queries.errors_by_time(session, ids, starts, width)
    return tuple(
        HurtingLine(incident=one, errors=tuple(errors[one.incident_id])) for one in hurting
    )


async def _services(
    session: AsyncSession, *, since: datetime, now: datetime
) -> tuple[ServiceLine, ...]:
    found = await service_queries.sum_services(session, since=since, limit=MOST_SERVICES)
    lines = (ServiceLine(service=one, state=state_of(one, now=now)) for one in found)
    return tuple(sorted(lines, key=_need))


def state_of(service: ServiceSum, *, now: datetime) -> Literal["failing", "silent", "well"]:
    """Silent when nothing came for a while, whatever it said before."""
    if now - service.last_seen > SILENT_AFTER:
        return "silent"
    return "failing" if service.error_share >= FAILING_FROM else "well"


def _need(line: ServiceLine) -> tuple[int, int, str]:
    rank = ("failing", "silent", "well").index(line.state)
    return rank, -line.service.errors, line.service.service
