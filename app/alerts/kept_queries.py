"""Every statement behind the API of the alerts, by name."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.alerts.inputs import ThresholdView, VersionChanged
from app.alerts.model import DeliveryState, DeliveryView, Target
from app.alerts.queries import target_of
from app.alerts.tables import alert_deliveries, alert_targets, alert_thresholds
from app.catalogue.tables import known_issues


async def find_target(
    session: AsyncSession, name: str, *, for_update: bool = False
) -> Target | None:
    if "\0" in name:
        return None
    query = select(alert_targets).where(alert_targets.c.name == name)
    if for_update:
        query = query.with_for_update()
    row = (await session.execute(query)).mappings().one_or_none()
    return target_of(row) if row else None


async def make_target(session: AsyncSession, name: str, values: Mapping[str, Any]) -> Target:
    """Raises `VersionChanged` when somebody made it meanwhile."""
    made = pg_insert(alert_targets).values(name=name, **values).on_conflict_do_nothing()
    row = (await session.execute(made.returning(alert_targets))).mappings().one_or_none()
    if row is None:
        raise VersionChanged
    return target_of(row)


async def change_target(session: AsyncSession, name: str, values: Mapping[str, Any]) -> Target:
    """What the service itself disabled is a person's again."""
    table = alert_targets.c
    changed = {**values, "disabled_reason": "", "changed_at": func.clock_timestamp()}
    query = (
        update(alert_targets)
        .where(table.name == name)
        .values({**changed, "version": table.version + 1})
        .returning(alert_targets)
    )
    return target_of((await session.execute(query)).mappings().one())


async def delete_target(session: AsyncSession, name: str) -> None:
    """And give up what waits for it."""
    await session.execute(delete(alert_targets).where(alert_targets.c.name == name))
    table = alert_deliveries.c
    await session.execute(
        update(alert_deliveries)
        .where(table.target == name, table.state == DeliveryState.WAITING)
        .values(
            state=DeliveryState.DEAD,
            ended_at=func.clock_timestamp(),
            error="the target was deleted",
        )
    )


async def list_deliveries(
    session: AsyncSession, *, state: DeliveryState | None, target: str | None, limit: int
) -> list[DeliveryView]:
    """Newest first."""
    table = alert_deliveries.c
    columns = [alert_deliveries.c[name] for name in DeliveryView.__struct_fields__]
    query = select(*columns).order_by(table.created_at.desc(), table.delivery_id).limit(limit)
    if state:
        query = query.where(table.state == state)
    if target is not None:
        query = query.where(table.target == target)
    return [DeliveryView(**row) for row in (await session.execute(query)).mappings()]


async def find_delivery(session: AsyncSession, delivery_id: UUID) -> DeliveryView | None:
    columns = [alert_deliveries.c[name] for name in DeliveryView.__struct_fields__]
    query = select(*columns).where(alert_deliveries.c.delivery_id == delivery_id).with_for_update()
    row = (await session.execute(query)).mappings().one_or_none()
    return DeliveryView(**row) if row else None


async def try_again(session: AsyncSession, delivery_id: UUID) -> DeliveryView:
    """From the first attempt on, under its old key."""
    columns = [alert_deliveries.c[name] for name in DeliveryView.__struct_fields__]
    query = (
        update(alert_deliveries)
        .where(alert_deliveries.c.delivery_id == delivery_id)
        .values(
            state=DeliveryState.WAITING, attempts=0, due_at=func.clock_timestamp(), ended_at=None
        )
        .returning(*columns)
    )
    return DeliveryView(**(await session.execute(query)).mappings().one())


async def list_thresholds(session: AsyncSession) -> list[ThresholdView]:
    query = select(alert_thresholds).order_by(alert_thresholds.c.known_issue_id)
    return [ThresholdView(**row) for row in (await session.execute(query)).mappings()]


async def find_threshold(session: AsyncSession, known_issue_id: str) -> ThresholdView | None:
    if "\0" in known_issue_id:
        return None
    query = (
        select(alert_thresholds)
        .where(alert_thresholds.c.known_issue_id == known_issue_id)
        .with_for_update()
    )
    row = (await session.execute(query)).mappings().one_or_none()
    return ThresholdView(**row) if row else None


async def is_entry(session: AsyncSession, known_issue_id: str) -> bool:
    if "\0" in known_issue_id:
        return False
    query = select(known_issues.c.version).where(known_issues.c.known_issue_id == known_issue_id)
    return (await session.execute(query.limit(1))).first() is not None


async def make_threshold(
    session: AsyncSession, known_issue_id: str, *, chains_per_hour: int
) -> ThresholdView:
    """Raises `VersionChanged` when somebody made it meanwhile."""
    made = (
        pg_insert(alert_thresholds)
        .values(known_issue_id=known_issue_id, chains_per_hour=chains_per_hour)
        .on_conflict_do_nothing()
        .returning(alert_thresholds)
    )
    row = (await session.execute(made)).mappings().one_or_none()
    if row is None:
        raise VersionChanged
    return ThresholdView(**row)


async def change_threshold(
    session: AsyncSession, known_issue_id: str, *, chains_per_hour: int
) -> ThresholdView:
    """A breach of another threshold says nothing of this one."""
    table: Table = alert_thresholds
    query = (
        update(table)
        .where(table.c.known_issue_id == known_issue_id)
        .values(
            chains_per_hour=chains_per_hour,
            breached_at=None,
            version=table.c.version + 1,
            changed_at=func.clock_timestamp(),
        )
        .returning(table)
    )
    return ThresholdView(**(await session.execute(query)).mappings().one())


async def delete_threshold(session: AsyncSession, known_issue_id: str) -> None:
    await session.execute(
        delete(alert_thresholds).where(alert_thresholds.c.known_issue_id == known_issue_id)
    )
