"""One message over real sockets, to receivers that misbehave in every way they know."""

import asyncio
import ipaddress
import socket
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from app.alerts.addresses import Address, Reach, parse
from app.alerts.sending import MOST_ANSWER_BYTES, Answered, Resolve, post, read_retry_after, resolve
from tests.alerts.outbox import LOOPBACK
from tests.alerts.receiver import closes, floods, hangs, receiving, says
from tests.alerts.waiting import until

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


async def send(
    url: str, *, reach: Reach = LOOPBACK, resolve: Resolve = resolve, seconds: float = 10
) -> Answered:
    return await post(
        url, body=b"{}", headers={"webhook-id": "m"}, reach=reach, resolve=resolve, seconds=seconds
    )


def resolving(*addresses: str) -> tuple[Resolve, list[str]]:
    """A name service of its own: one answer after the other, the last one for ever."""
    asked: list[str] = []

    async def answer(host: str, _: int) -> tuple[Address, ...]:
        asked.append(host)
        return (parse(addresses[min(len(asked), len(addresses)) - 1]),)

    return answer, asked


async def test_a_message_is_a_post_of_its_body() -> None:
    async with receiving(says(204)) as receiver:
        answered = await send(receiver.url + "?key=1")

    assert answered == Answered(delivered=True, status=204)
    assert receiver.got[0].line == "POST /hook/very-secret-path?key=1 HTTP/1.1"
    assert receiver.got[0].headers["host"] == f"127.0.0.1:{receiver.port}"
    assert receiver.got[0].body == b"{}"


@pytest.mark.parametrize(("status", "seconds"), [(429, "120"), (503, "7")])
async def test_a_failure_says_its_status_text_and_wish(status: int, seconds: str) -> None:
    async with receiving(says(status, "slow down", Retry_After=seconds)) as receiver:
        answered = await send(receiver.url)

    assert not answered.delivered
    assert answered.reason == f"HTTP {status}: slow down"
    assert answered.retry_after == float(seconds)


async def test_a_redirect_is_not_followed_and_its_place_is_named() -> None:
    place = "http://169.254.169.254/latest/meta-data/"
    async with receiving(says(307, Location=place)) as receiver:
        answered = await send(receiver.url, reach=Reach(inner=True))

    assert not answered.delivered
    assert place in answered.reason
    assert len(receiver.got) == 1


async def test_a_path_that_the_receiver_repeats_is_not_kept() -> None:
    said = "Cannot POST /hook/very-secret-path?token=tiny: very-secret-path"
    async with receiving(says(404, said), says(302, Location="/hook/very-secret-path/")) as one:
        answered = [await send(one.url + "?token=tiny") for _ in range(2)]

    assert answered[0].text == "Cannot POST /…?…: …"
    assert "secret" not in answered[0].reason + answered[1].reason
    assert "redirect" in answered[1].reason


async def test_a_receiver_that_hangs_is_left() -> None:
    async with receiving(hangs) as receiver:
        answered = await send(receiver.url, seconds=0.5)
        await until(receiver.is_left, seconds=5)

    assert answered.reason == "no answer within 0.5 s"


async def test_a_receiver_that_closes_at_once_is_a_failure() -> None:
    async with receiving(closes) as receiver:
        answered = await send(receiver.url)

    assert not answered.delivered
    assert answered.reason


async def test_a_port_where_nobody_listens_is_a_failure() -> None:
    async with receiving() as receiver:
        url = receiver.url

    answered = await send(url)

    assert not answered.delivered
    assert answered.reason


async def test_of_a_gigabyte_only_the_beginning_is_read() -> None:
    before = psutil.Process().memory_info().rss
    async with receiving(floods) as receiver:
        answered = await send(receiver.url)
        await until(receiver.is_left, seconds=5)

    # What the other side could put into the buffers of two sockets, and no more.
    assert receiver.bytes_out < 16 * 2**20
    assert psutil.Process().memory_info().rss - before < 64 * 2**20
    assert answered.status == 500
    assert len(answered.text) < MOST_ANSWER_BYTES


async def test_a_name_that_leads_inside_is_refused() -> None:
    async with receiving() as receiver:
        answered = await send(f"http://localhost:{receiver.port}/", reach=Reach())

    assert not answered.delivered
    assert "private address" in answered.reason
    assert "PRODSENTINEL_ALERT_PRIVATE_TARGETS" in answered.reason
    assert receiver.got == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]", "0"])
async def test_no_notation_of_a_number_leads_inside(host: str) -> None:
    async with receiving() as receiver:
        answered = await send(f"http://{host}:{receiver.port}/", reach=Reach())

    assert not answered.delivered
    assert receiver.got == []


async def test_inside_is_allowed_by_choice() -> None:
    async with receiving() as receiver:
        answered = await send(f"http://localhost:{receiver.port}/", reach=Reach(inner=True))

    assert answered.delivered


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """A name that answers something else when asked again gains nothing: it is asked once."""
    answer, asked = resolving("127.0.0.1", "127.0.0.2")
    async with receiving() as receiver:
        answered = await send(f"http://hooks.example:{receiver.port}/", resolve=answer)

    assert answered.delivered
    assert asked == ["hooks.example"]
    assert receiver.got[0].headers["host"] == f"hooks.example:{receiver.port}"


async def test_every_attempt_is_checked_anew() -> None:
    answer, _ = resolving("127.0.0.1", "169.254.169.254")
    async with receiving() as receiver:
        url = f"http://hooks.example:{receiver.port}/"
        answered = [await send(url, reach=Reach(inner=True), resolve=answer) for _ in range(2)]

    assert [one.delivered for one in answered] == [True, False]
    assert "169.254.169.254 is a link-local address" in answered[1].reason
    assert len(receiver.got) == 1


async def test_one_inner_address_among_public_ones_is_reason_enough() -> None:
    async def answer(_: str, __: int) -> tuple[Address, ...]:
        return parse("127.0.0.1"), parse("10.0.0.1")

    async with receiving() as receiver:
        answered = await send(f"http://hooks.example:{receiver.port}/", resolve=answer)

    assert "10.0.0.1 is a private address" in answered.reason
    assert receiver.got == []


async def test_the_next_address_is_tried_when_the_first_does_not_listen() -> None:
    async def answer(_: str, __: int) -> tuple[Address, ...]:
        return parse("127.0.0.3"), parse("127.0.0.1")

    async with receiving() as receiver:
        answered = await send(f"http://hooks.example:{receiver.port}/", resolve=answer)

    assert answered.delivered


async def test_no_proxy_of_the_environment_stands_between(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        answered = await send(receiver.url)

    assert answered.delivered
    assert proxy.got == []
    assert len(receiver.got) == 1


async def test_a_name_without_address_and_a_url_that_is_none_are_failures() -> None:
    async def nowhere(_: str, __: int) -> tuple[Address, ...]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    unknown = await send("http://hooks.example/", resolve=nowhere)
    broken = await send("http://[::1/secret")

    assert unknown.reason == "the name of the host has no address: Name or service not known"
    assert broken.reason == "the URL cannot be used"


async def test_tls_is_spoken_with_the_name_not_with_the_address() -> None:
    greeting = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting.set_result(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    answer, _ = resolving("127.0.0.1")
    async with server:
        answered = await send(f"https://hooks.example:{port}/", resolve=answer)

    assert not answered.delivered
    assert b"hooks.example" in await greeting


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        (f"{NOW + timedelta(seconds=90):%a, %d %b %Y %H:%M:%S} GMT", 90.0),
        (f"{NOW - timedelta(seconds=90):%a, %d %b %Y %H:%M:%S} GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("9" * 400, 9_999_999_999.0),
    ],
)
async def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert read_retry_after(text, now=NOW) == seconds


async def test_the_operating_system_resolves_as_it_always_does() -> None:
    found = await resolve("127.0.0.1", 80)

    assert found == (ipaddress.ip_address("127.0.0.1"),)
