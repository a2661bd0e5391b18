import gzip
import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from app.address import own_url
from app.canary.chains import Parcel, known_chain
from app.receive.correlation import safe_token

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)


def sent(parcel: Parcel) -> list[dict[str, Any]]:
    """The records that stand in the body."""
    body = parcel.content
    if parcel.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    if parcel.headers.get("content-encoding") == "zstd":
        body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
    if parcel.headers["content-type"] == "application/x-ndjson":
        return [json.loads(line) for line in body.splitlines()]
    read = json.loads(body)
    return read if isinstance(read, list) else [read]


@given(st.integers(0, 10_000))
def test_the_body_holds_the_records_that_are_known(number: int) -> None:
    chain = known_chain("run", number, at=AT)

    names = [one["record_id"] for parcel in chain.parcels for one in sent(parcel)]

    assert names == [str(record.record_id) for record in chain.records]


@given(st.integers(0, 10_000))
def test_a_chain_is_info_of_two_services_or_more_under_an_id_that_is_taken(number: int) -> None:
    chain = known_chain("run", number, at=AT)

    assert {record.level for record in chain.records} == {"INFO"}
    assert len({record.service for record in chain.records}) >= 2
    assert safe_token(chain.correlation_id) == chain.correlation_id


@given(st.integers(0, 10_000))
def test_a_service_numbers_its_records_without_a_gap(number: int) -> None:
    numbered: dict[tuple[str, str], list[int]] = {}
    for record in known_chain("run", number, at=AT).records:
        numbered.setdefault((record.service, record.instance), []).append(record.sequence)

    for sequence in numbered.values():
        assert sequence[0] == 1
        assert all(after == before + 1 for before, after in pairwise(sequence))


def test_no_record_id_comes_twice_and_the_same_number_is_the_same_chain() -> None:
    chains = [known_chain("run", number, at=AT) for number in range(200)]

    ids = [record.record_id for chain in chains for record in chain.records]

    assert len(set(ids)) == len(ids)
    assert chains[7] == known_chain("run", 7, at=AT)
    assert not set(ids) & {record.record_id for record in known_chain("other", 7, at=AT).records}


def test_sixty_chains_hold_every_combination_of_form_resending_and_time() -> None:
    def kind(number: int) -> tuple[object, ...]:
        chain = known_chain("run", number, at=AT)
        form = (*chain.parcels[0].headers.values(), chain.parcels[0].content[:1] == b"[")
        return form, chain.resend, chain.records[0].timestamp is None

    assert len({kind(number) for number in range(60)}) == 5 * 2 * 2


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104 - only read
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("10.1.2.3", "http://10.1.2.3:80"),
        ("logs.internal", "http://logs.internal:80"),
    ],
)
def test_a_service_that_listens_everywhere_is_reached_by_the_loopback(host: str, url: str) -> None:
    assert own_url(host, 80) == url
