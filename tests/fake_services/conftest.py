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
    with open_shop(receiver.url) as opened:
        yield opened
