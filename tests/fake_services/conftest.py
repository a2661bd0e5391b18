"""One shop and one receiver for all tests of the fake services."""

import threading
from collections.abc import Iterator

import pytest

from tests.fake_services.shop import PATIENCE, Receiver, Shop, open_shop


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join(PATIENCE)


@pytest.fixture(scope="session")
def shop(receiver: Receiver) -> Iterator[Shop]:
    # The longest timeout: a slow machine must not lose the records that tests wait for.
    with open_shop(receiver.url, TELEMETRY_TIMEOUT="2") as opened:
        yield opened
