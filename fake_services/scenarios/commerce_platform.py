"""Scenarios of `commerce-platform.md`: models, settings and clients that do not fit together."""

import enum
import os
import warnings
from pathlib import Path
from typing import Any, Final

import httpx
from litestar import Litestar, get, post
from litestar.params import JSONBody
from sqlalchemy import Boolean, Engine, Enum, Integer, create_engine, insert, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from fake_services.scenarios.front import front_of
from fake_services.scenarios.model import Scenario
from fake_services.scenarios.stage import Stage
from fake_services.service import InContext
from fake_services.telemetry import Telemetry


def declare_message(telemetry: Telemetry) -> type[DeclarativeBase]:
    """The model with a column called as the registry of tables is; logs what SQLAlchemy warns."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")

        class Base(DeclarativeBase):
            """All tables of the chat."""

        class Message(Base):
            __tablename__ = "messages"

            id: Mapped[int] = mapped_column(primary_key=True)
            metadata: Mapped[str] = mapped_column()  # type: ignore[assignment,misc]

    for warning in said:
        telemetry.warning(str(warning.message), category=warning.category.__name__)
    return Message


async def reserved_metadata(stage: Stage) -> None:
    """The chat makes its tables at the first message, and asks the column to do it."""
    engine = sqlite(stage.scratch / "chat.db")

    @post("/messages")
    async def receive(context: InContext) -> dict[str, Any]:
        message = declare_message(context.telemetry)
        message.metadata.create_all(engine)
        return {"stored": True}

    chat = await stage.service("chat", receive)

    front = await front_of(stage, "gateway", f"{chat}/messages")
    await stage.request("POST", front)
    engine.dispose()


class LLMProvider(enum.StrEnum):
    """What the code knows."""

    OLLAMA = "ollama"
    OPENAI = "openai"


class Configurations(DeclarativeBase):
    """Tables of the LLM configuration."""


class LLMConfiguration(Configurations):
    """Which provider a shop talks to."""

    __tablename__ = "llm_configurations"

    id: Mapped[int] = mapped_column(primary_key=True)
    provider: Mapped[LLMProvider] = mapped_column(
        Enum(
            LLMProvider,
            name="llm_provider",
            values_callable=lambda kind: [member.value for member in kind],
            native_enum=False,
        )
    )


async def enum_drift(stage: Stage) -> None:
    """An old row holds a spelling of the provider that the enum never had."""
    engine = sqlite(stage.scratch / "llm.db")
    Configurations.metadata.create_all(engine)
    with engine.begin() as connection:  # an earlier story, which stored a free string
        connection.execute(text("INSERT INTO llm_configurations (provider) VALUES ('Opnai')"))

    @post("/completions")
    async def complete(context: InContext) -> dict[str, Any]:
        with Session(engine) as session:
            configuration = session.scalars(select(LLMConfiguration)).one()
        context.telemetry.info("provider chosen", provider=configuration.provider)
        return {"provider": configuration.provider}

    llm = await stage.service("llm", complete)

    front = await front_of(stage, "chat", f"{llm}/completions")
    await stage.request("POST", front)
    engine.dispose()


async def asyncclient_app(stage: Stage) -> None:
    """The smoke tests of a release speak to the application in memory, as httpx 0.26 let them."""

    @get("/orders", sync_to_thread=False)
    def list_orders() -> list[str]:
        return []

    @post("/smoke-tests")
    async def smoke_test(context: InContext) -> dict[str, Any]:
        shop = Litestar([list_orders], openapi_config=None, logging_config=None)
        async with httpx.AsyncClient(app=shop, base_url="http://test") as client:  # type: ignore[call-arg]
            answer = await client.get("/orders")
        context.telemetry.info("smoke test ended", status=answer.status_code)
        return {"status": answer.status_code}

    tests = await stage.service("smoke-tests", smoke_test)

    front = await front_of(stage, "release", f"{tests}/smoke-tests")
    await stage.request("POST", front)


class Onboarding(DeclarativeBase):
    """Tables of the onboarding."""


class Prerequisite(Onboarding):
    """What a merchant ticked off; hangs on the merchant, who may not exist yet."""

    __tablename__ = "onboarding_prerequisites"

    id: Mapped[int] = mapped_column(primary_key=True)
    merchant_id: Mapped[int] = mapped_column(Integer, nullable=False)
    facebook_account: Mapped[bool] = mapped_column(Boolean)


async def pre_auth_state(stage: Stage) -> None:
    """A visitor ticks off a prerequisite; the server wants to hang it on a merchant."""
    engine = sqlite(stage.scratch / "onboarding.db")
    Onboarding.metadata.create_all(engine)

    @post("/api/onboarding/prerequisites")
    async def keep(data: JSONBody[dict[str, bool]], context: InContext) -> dict[str, Any]:
        visitor: dict[str, int] = {}  # no session yet, so nobody signed in
        with engine.begin() as connection:
            row = {"merchant_id": visitor.get("merchant_id"), **data}
            connection.execute(insert(Prerequisite), row)
        context.telemetry.info("prerequisites kept")
        return {"kept": True}

    onboarding = await stage.service("onboarding", keep)

    front = await front_of(stage, "web", f"{onboarding}/api/onboarding/prerequisites")
    await stage.request("POST", front, json={"facebook_account": True})
    engine.dispose()


async def environment_config(stage: Stage) -> None:
    """A setting that was added on a laptop and nowhere else."""

    @post("/tokens")
    async def seal(context: InContext) -> dict[str, Any]:
        key = os.environ["SHOP_TOKEN_ENCRYPTION_KEY"]
        context.telemetry.info("token sealed", key_length=len(key))
        return {"sealed": True}

    vault = await stage.service("vault", seal)

    front = await front_of(stage, "integrations", f"{vault}/tokens")
    await stage.request("POST", front)


def sqlite(path: Path) -> Engine:
    """A database in a file of the scenario's."""
    return create_engine(f"sqlite:///{path}")


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(
        name="sqlalchemy-reserved-metadata",
        shows="a model has a column `metadata`, and create_all is asked of that column",
        root_service="chat",
        root="AttributeError",
        run=reserved_metadata,
    ),
    Scenario(
        name="enum-drift",
        shows="SQLAlchemy reads a row whose provider the enum does not know",
        root_service="llm",
        root="'Opnai'",
        run=enum_drift,
    ),
    Scenario(
        name="httpx-asyncclient-app",
        shows="a smoke test makes AsyncClient(app=…) with httpx 0.28",
        root_service="smoke-tests",
        root="TypeError",
        run=asyncclient_app,
    ),
    Scenario(
        name="pre-auth-state",
        shows="onboarding state of a visitor is stored for a merchant who does not exist",
        root_service="onboarding",
        root="IntegrityError",
        run=pre_auth_state,
    ),
    Scenario(
        name="environment-config",
        shows="a service reads a variable that nobody set",
        root_service="vault",
        root="KeyError",
        run=environment_config,
    ),
)
