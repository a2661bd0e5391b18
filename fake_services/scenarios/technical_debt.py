"""Scenarios of `technical-debt.md`."""

import asyncio
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from litestar import post
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from fake_services.scenarios.front import front_of
from fake_services.scenarios.model import POSTGRESQL, Scenario
from fake_services.scenarios.stage import Stage
from fake_services.service import InContext

SHIPPED: Final = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


class TokenBase(DeclarativeBase):
    """Tables of the tokens service."""


class Token(TokenBase):
    """An API token."""

    __tablename__ = "api_token"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class EntityBase(DeclarativeBase):
    """Tables of the entities service."""


class Entity(EntityBase):
    """Whatever an integration found, with attributes of its own."""

    __tablename__ = "entity"
    id: Mapped[int] = mapped_column(primary_key=True)
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB)


@contextmanager
def auditing_sessions() -> Iterator[sessionmaker[Session]]:
    """Sessions whose commit an audit hook counts tokens in, through the same session."""
    engine = create_engine("sqlite://")
    TokenBase.metadata.create_all(engine)
    sessions = sessionmaker(engine)
    opened: list[Session] = []

    @event.listens_for(sessions, "after_begin")
    def begun(session: Session, _transaction: object, _connection: Connection) -> None:
        opened.append(session)

    @event.listens_for(engine, "commit")
    def audit(_connection: Connection) -> None:
        if opened:
            opened.pop().query(Token).count()

    try:
        yield sessions
    finally:
        engine.dispose()


async def audit_within_commit(stage: Stage) -> None:
    """The tokens service's audit hook asks the session that is just committing."""
    with auditing_sessions() as sessions:

        @post("/tokens")
        async def store_new_token() -> None:
            with sessions() as session:
                session.add(Token(name="ci"))
                session.commit()

        tokens = await stage.service("tokens", store_new_token)
        front = await front_of(stage, "portal", f"{tokens}/tokens")
        await stage.request("POST", front)


async def unmapped_order(stage: Stage) -> None:
    """The partner sends an order without a date; it passes the first schema, not the second."""
    mapper = await asyncio.to_thread(
        importlib.import_module, "fake_services.scenarios.tw_order_mapper"
    )

    @post("/orders/4711")
    async def give() -> dict[str, Any]:
        return {"id": "4711", "ship_date": "", "total": "49.90"}

    partner = await stage.service("tw-api", give)

    @post("/syncs")
    async def sync(context: InContext) -> dict[str, Any]:
        given = await context.downstream.post(f"{partner}/orders/4711")
        order = mapper.to_canonical(mapper.TWOrder.model_validate(given))
        return {"order_id": order.order_id}

    order_sync = await stage.service("order-sync", sync)
    front = await front_of(stage, "back-office", f"{order_sync}/syncs")
    await stage.request("POST", front)


async def datetime_in_jsonb(stage: Stage) -> None:
    """A processor puts a datetime into the attributes of an entity, a JSONB column."""
    engine = create_async_engine(await stage.database())
    try:
        async with engine.begin() as connection:
            await connection.run_sync(EntityBase.metadata.create_all)

        @post("/entities")
        async def save() -> None:
            async with AsyncSession(engine) as session, session.begin():
                session.add(Entity(id=17, attributes={"shipped_at": SHIPPED}))

        entities = await stage.service("entities", save)
        front = await front_of(stage, "order-sync", f"{entities}/entities")
        await stage.request("POST", front)
    finally:
        await engine.dispose()


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(
        name="session-prepared-state",
        shows="an audit hook runs a query through the session that is just committing",
        root_service="tokens",
        root="InvalidRequestError",
        run=audit_within_commit,
    ),
    Scenario(
        name="transformation-coverage",
        shows="a partner's order with an empty date does not become a canonical order",
        root_service="order-sync",
        root="ValidationError",
        run=unmapped_order,
        needs=("python:pydantic",),
    ),
    Scenario(
        name="jsonb-datetime-serialization",
        shows="a datetime is saved into a JSONB column of a real PostgreSQL",
        root_service="entities",
        root="TypeError",
        run=datetime_in_jsonb,
        needs=(POSTGRESQL,),
    ),
)
