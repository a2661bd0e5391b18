"""A service on a real port, in which the examples of its OpenAPI document hold."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.alerts.receiver import receiving, says
from tests.faults.rig import Api, until
from tests.flows.document import make_world


@pytest.fixture
async def world(
    database_url: str, connection: asyncpg.Connection, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    api = Api(database_url, tmp_path, PRODSENTINEL_ALERT_PRIVATE_TARGETS="true")
    async with (
        api,
        receiving(says(200)) as receiver,
        httpx.AsyncClient(base_url=api.url, timeout=30) as client,
    ):
        await until(lambda: _has_catalogue(api))
        await make_world(client, connection, target_url=receiver.url)
        yield client


async def _has_catalogue(api: Api) -> bool:
    """It is read beside the first requests."""
    return bool((await api.health())["known_issues"])
