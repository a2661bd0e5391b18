"""Starting wrongly, and the stream of orders."""

import json
import random
import subprocess
import sys
from collections import Counter
from itertools import islice

import pytest

from fake_services.faults import Fault, fault_of
from fake_services.settings import WrongSetting, read_settings
from fake_services.spans import open_span
from fake_services.traffic import DECK, orders
from tests.fake_services.shop import PATIENCE, ROOT, Receiver, Shop, process, wait_until


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PRODSENTINEL_URL", "localhost:8000"),
        ("PRODSENTINEL_URL", ""),
        ("PAYMENT_URL", "ftp://127.0.0.1"),
        ("INVENTORY_URL", "http://[::1"),
        ("TELEMETRY_TIMEOUT", "0.4"),
        ("TELEMETRY_TIMEOUT", "2.1"),
        ("TELEMETRY_TIMEOUT", "soon"),
        ("TELEMETRY_TIMEOUT", "nan"),
        ("GATEWAY_PORT", "0"),
        ("GATEWAY_PORT", "65536"),
        ("GATEWAY_PORT", "²"),
    ],
)
def test_a_wrong_setting_is_named(variable: str, value: str) -> None:
    with pytest.raises(WrongSetting) as caught:
        read_settings("gateway", {variable: value})

    assert str(caught.value).startswith(f"{variable}: ")


def test_a_trailing_slash_does_not_double_in_addresses() -> None:
    settings = read_settings("gateway", {"PRODSENTINEL_URL": "http://127.0.0.1:8000/"})

    assert settings.prodsentinel_url == "http://127.0.0.1:8000"


def test_a_process_with_a_wrong_setting_stops_at_once_and_names_it() -> None:
    command = [sys.executable, "-m", "fake_services", "gateway", "--payment-url", "nowhere"]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert ended.returncode == 2
    assert "PAYMENT_URL: 'nowhere' is not an HTTP address" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_importing_the_services_opens_nothing() -> None:
    program = (
        "import json, sys, socket\n"
        "opened = []\n"
        "sys.addaudithook(lambda name, args: opened.append(name)"
        " if name in ('socket.connect', 'socket.bind', 'subprocess.Popen') else None)\n"
        "import fake_services.gateway, fake_services.payment, fake_services.inventory\n"
        "import fake_services.traffic, fake_services.__main__\n"
        "print(json.dumps(opened))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )

    assert json.loads(ended.stdout) == []


def test_the_prefix_of_an_order_chooses_its_fault() -> None:
    assert [fault_of(f"{fault}-7") for fault in Fault] == list(Fault)
    assert fault_of("order-raw-sql-7") is None
    assert fault_of("raw-sql") is None


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        "not a traceparent",
    ],
)
def test_an_invalid_traceparent_has_no_parent(traceparent: str) -> None:
    span = open_span("c-1", traceparent)

    assert span.parent_span_id is None
    assert span.correlation_id == "c-1"
    assert span.headers()["traceparent"] == f"00-{span.trace_id}-{span.span_id}-01"


def test_every_deck_of_orders_holds_each_fault_and_mostly_good_ones() -> None:
    chance = random.Random(1)  # noqa: S311 - a repeatable shuffle, no secret
    size = sum(DECK.values())
    dealt = Counter(fault_of(one) for one in islice(orders(chance), 3 * size))

    assert dealt == {
        None: 45,
        Fault.RAW_SQL: 6,
        Fault.UUID_JSON: 3,
        Fault.BAD_DSN: 3,
        Fault.MYSTERY: 3,
    }


def test_traffic_sends_orders_and_ends_when_its_time_is_over(
    shop: Shop, receiver: Receiver
) -> None:
    before = len(receiver.records)

    with process("traffic", "--gateway", shop.gateway, "--rate", "20", "--for", "1.5") as running:
        code = running.wait(PATIENCE)

    assert code == 0
    assert len(receiver.records) > before


def test_traffic_ends_when_told_to(shop: Shop, receiver: Receiver) -> None:
    before = len(receiver.records)

    with process("traffic", "--gateway", shop.gateway, "--rate", "10") as running:
        wait_until(lambda: len(receiver.records) > before)
        running.terminate()
        code = running.wait(PATIENCE)

    assert code == 0
