"""Scenarios of `deployment-post-mortem.md`."""

import asyncio
import importlib
import importlib.util
import os
import sys
import warnings
from pathlib import Path
from typing import Any, Final

import httpx
from litestar import post

from fake_services.scenarios import sources
from fake_services.scenarios.front import front_of
from fake_services.scenarios.hosting import bound_socket
from fake_services.scenarios.model import Scenario, executable
from fake_services.scenarios.small_redis import small_redis
from fake_services.scenarios.stage import Stage

HF_MODEL: Final = "mistralai/Mistral-7B-Instruct-v0.3"
START_SECONDS: Final = 15.0
PYDANTIC_NEEDS: Final = (
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_inspection",
    "typing_extensions",
)


def free_port() -> int:
    """A port that nobody listens on now."""
    with bound_socket() as listening:
        return int(listening.getsockname()[1])


async def roll_out(stage: Stage, service: str, *command: str, **env: str) -> None:
    """A release starts `service`, which ends at once, and its smoke test finds nobody there.

    The log agent ships what the process wrote; the release logs its own failure, the symptom.
    """
    release, agent = stage.telemetry("release"), stage.telemetry(service)
    with stage.span():
        release.info(f"starting {service}", service=service)
        with stage.span():
            ended = await stage.process(*command, env=env)
            if ended.code:
                agent.error(ended.output, exit_code=ended.code)
        try:
            await stage.request("POST", f"http://127.0.0.1:{free_port()}/health")
        except httpx.ConnectError as error:
            release.error("smoke test failed", error, service=service)


async def host_unresolved(stage: Stage) -> None:
    """The migration's database has a name that no resolver knows (RFC 6761, `.invalid`)."""
    url = "postgresql+asyncpg://app@postgres.invalid:5432/app"
    sources.write_alembic(stage.scratch, url=url, upgrade=sources.SYNC_UPGRADE)
    # Where a name server is configured and away, glibc would ask it for ten seconds.
    env = {"RES_OPTIONS": "timeout:1 attempts:1"}
    await roll_out(stage, "migrations", sys.executable, "-m", "alembic", "upgrade", "head", **env)


async def huggingface_api(stage: Stage) -> None:
    """The assistant calls `text_generation` with an argument of the chat API."""
    hub = await asyncio.to_thread(importlib.import_module, "huggingface_hub")

    @post("/answers")
    async def answer() -> dict[str, Any]:
        client = hub.InferenceClient(model=HF_MODEL, timeout=5)
        return {"text": client.text_generation("Where is my order?", max_tokens=200)}

    assistant = await stage.service("assistant", answer)
    front = await front_of(stage, "chat", f"{assistant}/answers")
    await stage.request("POST", front)


async def passlib_meets_bcrypt(stage: Stage) -> None:
    """passlib probes bcrypt 5 with a password of its own, which bcrypt 5 refuses."""
    with warnings.catch_warnings():
        # passlib is from 2020 and imports `crypt`.
        warnings.simplefilter("ignore")
        context = importlib.import_module("passlib.context")

    @post("/accounts", sync_to_thread=True)
    def register() -> dict[str, Any]:
        return {"hash": context.CryptContext(schemes=["bcrypt"]).hash("swordfish")}

    auth = await stage.service("auth", register)
    front = await front_of(stage, "storefront", f"{auth}/accounts")
    await stage.request("POST", front)


async def no_email_validator(stage: Stage) -> None:
    """The service is installed with pydantic and what pydantic needs, and nothing else."""
    packages = stage.scratch / "packages"
    await asyncio.to_thread(_install, packages, PYDANTIC_NEEDS)
    sources.write(stage.scratch, sources.EMAIL_FIELD)
    # `-S`: without the site directory, where somebody else may have brought the package in.
    path = os.pathsep.join([str(stage.scratch), str(packages)])
    await roll_out(stage, "login", sys.executable, "-S", "main.py", PYTHONPATH=path)


def _install(directory: Path, packages: tuple[str, ...]) -> None:
    directory.mkdir()
    for name in packages:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(name)
        origin = Path(found.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (directory / source.name).symlink_to(source)


async def half_edited(stage: Stage) -> None:
    """A refactoring left the tail of an expression on a line of its own."""
    sources.write(stage.scratch, sources.HALF_EDITED)
    await roll_out(stage, "conciliacion", sys.executable, "main.py")


async def no_backend(stage: Stage) -> None:
    """Vite's development server passes `/api` on to a port where nobody listens."""
    sources.write(stage.scratch, sources.VITE)
    port, backend = free_port(), f"http://127.0.0.1:{free_port()}"
    vite = await asyncio.to_thread(executable, "vite")
    page = f"http://127.0.0.1:{port}"
    child = await stage.start(
        str(vite), "--host", "127.0.0.1", "--port", str(port), "--strictPort",
        env={"BACKEND_URL": backend, "NO_COLOR": "1"},
    )  # fmt: skip
    check, agent = stage.telemetry("page-check"), stage.telemetry("frontend")
    await _answers(page)
    with stage.span():
        answer = await stage.request("GET", f"{page}/api/orders")
        written = (await child.stop()).output
        with stage.span():
            agent.error(written[written.index("[vite]") :])
        try:
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            check.error("the page cannot load its orders", error)


async def _answers(url: str) -> None:
    """Returns once somebody answers there; raises `TimeoutError` when nobody does in time."""
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                await client.get(url)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return


async def eager_client(stage: Stage) -> None:
    """A cache pings Redis while its module is imported, long before any request."""
    sources.write(stage.scratch, sources.EAGER_CLIENT)
    serve = ("-m", "uvicorn", "--port", str(free_port()), "main:app")
    redis_port = str(free_port())
    await roll_out(stage, "quotes", sys.executable, *serve, REDIS_PORT=redis_port, PYTHONPATH=".")


async def redis_is_full(stage: Stage) -> None:
    """Embeddings makes a Redis client per request and closes none; the server takes three."""
    redis = await asyncio.to_thread(importlib.import_module, "redis.asyncio")
    async with small_redis(most_clients=3) as port:
        leaked = []

        @post("/embeddings")
        async def embed() -> dict[str, Any]:
            client = redis.Redis(port=port, retry=None)
            leaked.append(client)
            return {"cached": await client.get("embedding:42") is not None}

        embeddings = await stage.service("embeddings", embed)
        front = await front_of(stage, "search", f"{embeddings}/embeddings")
        try:
            for _ in range(3):
                await stage.request("POST", front, goes_well=True)
            await stage.request("POST", front)
        finally:
            for client in leaked:
                await client.aclose()


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(
        name="alembic-host-unresolved",
        shows="alembic upgrade head with a database host that no resolver knows",
        root_service="migrations",
        root="gaierror",
        run=host_unresolved,
    ),
    Scenario(
        name="huggingface-client-api",
        shows="text_generation is called with max_tokens, which only the chat API takes",
        root_service="assistant",
        root="TypeError",
        run=huggingface_api,
        needs=("python:huggingface_hub",),
    ),
    Scenario(
        name="bcrypt-passlib-build",
        shows="passlib hashes a short password with bcrypt 5",
        root_service="auth",
        root="ValueError",
        run=passlib_meets_bcrypt,
        needs=("python:passlib", "python:bcrypt"),
    ),
    Scenario(
        name="email-validator-missing",
        shows="a service with an EmailStr field starts where email-validator is not installed",
        root_service="login",
        root="ModuleNotFoundError",
        run=no_email_validator,
        needs=("python:pydantic",),
    ),
    Scenario(
        name="malformed-code-block",
        shows="the interpreter meets a line that a refactoring left behind",
        root_service="conciliacion",
        root="IndentationError",
        run=half_edited,
    ),
    Scenario(
        name="vite-proxy-backend-down",
        shows="Vite's development server proxies /api to a port where nobody listens",
        root_service="frontend",
        root="ECONNREFUSED",
        run=no_backend,
        needs=("node", "vite"),
    ),
    Scenario(
        name="eager-client-init",
        shows="a module pings Redis while it is imported, and uvicorn cannot load it",
        root_service="quotes",
        root="ConnectionError",
        run=eager_client,
        needs=("python:redis",),
    ),
    Scenario(
        name="redis-connection-exhaustion",
        shows="a Redis client per request, never closed, until the server takes no more",
        root_service="embeddings",
        root="ConnectionError",
        run=redis_is_full,
        needs=("python:redis",),
    ),
)
