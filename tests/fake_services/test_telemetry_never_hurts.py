"""A checkout neither waits for telemetry nor fails because of it."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Iterator

import httpx
import msgspec
import pytest

from fake_services.settings import read_settings
from fake_services.telemetry import MOST_IN_FLIGHT, Telemetry
from tests.fake_services.shop import PATIENCE, free_port, open_shop, stop


@pytest.fixture
def hanging() -> Iterator[str]:
    """A server that accepts a connection and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def lost(gateway: str) -> int:
    health = httpx.get(f"{gateway}/health", timeout=PATIENCE, trust_env=False)
    number: int = health.json()["telemetry_lost"]
    return number


def test_a_checkout_succeeds_when_nobody_receives_telemetry() -> None:
    with open_shop(f"http://127.0.0.1:{free_port()}") as shop:
        answers = [shop.checkout(f"away-{n}").status_code for n in range(3)]
        failing = shop.checkout("mystery-9").status_code

    assert answers == [201, 201, 201]
    assert failing == 502


def test_checkouts_are_answered_while_their_telemetry_still_hangs(hanging: str) -> None:
    with open_shop(hanging, TELEMETRY_TIMEOUT="2") as shop:
        first = shop.checkout("hang-0").status_code
        # Every send hangs for its whole 2 s: had the checkout waited for one, that one were lost.
        lost_by_then = lost(shop.gateway)
        answers = [shop.checkout(f"hang-{n}").status_code for n in range(1, 5)]
        codes = [stop(one) for one in shop.processes]

    assert (first, lost_by_then) == (201, 0)
    assert answers == [201] * 4
    assert codes == [0, 0, 0]


def test_a_send_is_a_task_that_ends_by_itself_after_the_timeout(hanging: str) -> None:
    async def scenario() -> tuple[int, int, int]:
        telemetry = quick_telemetry(hanging)
        telemetry.start()
        telemetry.info("one")
        at_once = telemetry.lost
        waiting = len(telemetry._sends)
        async with asyncio.timeout(PATIENCE):
            await telemetry.stop()
        return at_once, waiting, telemetry.lost

    assert asyncio.run(scenario()) == (0, 1, 1)


def test_sends_under_way_are_bounded_and_the_rest_is_counted(hanging: str) -> None:
    async def scenario() -> tuple[int, int]:
        telemetry = quick_telemetry(hanging)
        telemetry.start()
        for number in range(MOST_IN_FLIGHT + 7):
            telemetry.info(f"record {number}")
        found = len(telemetry._sends), telemetry.lost
        await telemetry.stop()
        return found

    assert asyncio.run(scenario()) == (MOST_IN_FLIGHT, 7)


def test_a_record_that_cannot_be_encoded_is_lost_quietly(hanging: str) -> None:
    async def scenario() -> int:
        telemetry = quick_telemetry(hanging)
        telemetry.start()
        telemetry.info("lone surrogate \ud800")
        await telemetry.stop()
        return telemetry.lost

    assert asyncio.run(scenario()) == 1


def test_an_address_that_is_not_prodsentinel_counts_as_lost() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=answer_404, args=(listening,))
        thread.start()

        async def scenario() -> int:
            telemetry = quick_telemetry(url)
            telemetry.start()
            telemetry.info("to the wrong port")
            await telemetry.stop()
            return telemetry.lost

        found = asyncio.run(scenario())
        thread.join(PATIENCE)

    assert found == 1


def test_health_tells_how_much_telemetry_was_lost() -> None:
    with open_shop(f"http://127.0.0.1:{free_port()}") as shop:
        shop.checkout("count-1")
        os.kill(shop.processes[1].pid, signal.SIGINT)
        codes = [stop(shop.processes[1])]
        gone = shop.checkout("count-2").status_code
        number = lost(shop.gateway)

    assert codes == [0]
    assert gone == 502
    assert number > 0


def answer_404(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")


def quick_telemetry(url: str) -> Telemetry:
    settings = read_settings("gateway", {"PRODSENTINEL_URL": url})
    return Telemetry(msgspec.structs.replace(settings, telemetry_timeout=0.5))
