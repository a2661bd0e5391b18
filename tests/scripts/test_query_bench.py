"""The bench `query`, at a size that shows that it runs: what it fills in is what it says."""

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.normalise.context import Context
from app.store.ingest import prepare
from scripts.benches.frame import Options
from scripts.benches.query import rows
from scripts.benches.query_copy import COLUMNS, Piece, lines_of
from scripts.benches.query_records import NOTE, Shop, errors, vocabularies

RECORDS = 1_000


@pytest.fixture
def data() -> Iterator[Path]:
    """Where PostgreSQL, which runs as a user of its own, can reach it."""
    with tempfile.TemporaryDirectory(prefix="prodsentinel-tests-") as directory:
        yield Path(directory)


def test_it_fills_a_server_asks_it_and_can_use_it_again(data: Path) -> None:
    options = Options(quick=True, only=("correlation",), data=data, records=RECORDS)

    first = {row.name: row.value for row in rows(options)}
    again = {row.name: row.value for row in rows(options)}

    assert first["0.0001 M: records copied"] == RECORDS / 10
    assert first["0.001 M: records copied"] == RECORDS * 9 / 10
    assert first["0.001 M: counted by the service"] == 1
    assert first["by correlation ID: p50 of ten times the records"]
    assert again["0.001 M: records copied"] == 0
    assert again["0.001 M: counted by the service"] == 1


@given(st.integers(0, 2**32), st.integers(1, 300))
def test_a_piece_has_so_many_records_in_the_order_of_time(seed: int, count: int) -> None:
    since, until = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)

    lines = [
        line.rstrip("\n").split("\t")
        for line in lines_of(Piece(url="", records=count, since=since, until=until, seed=seed))
    ]

    assert len(lines) == count
    assert {len(line) for line in lines} == {len(COLUMNS)}
    times = [line[COLUMNS.index("occurred_at")] for line in lines]
    assert times == sorted(times)
    assert all(json.loads(line[COLUMNS.index("attributes")])["order_id"] for line in lines)


@given(st.integers(0, 2**32))
def test_two_words_of_one_vocabulary_never_stand_beside_each_other(seed: int) -> None:
    odd, even = (set(words) for words in vocabularies().words)

    lines = [line for chain in Shop(seed).chains(200) for line in chain]

    assert not odd & even
    notes = [line.message.partition(NOTE)[2].split() for line in lines if NOTE in line.message]
    assert all((one in odd) != (other in odd) for note in notes for one, other in pairwise(note))


def test_an_error_has_the_signature_that_the_service_gives_it() -> None:
    kinds, numbers = errors(), {"o": "o-7", "c": "c-7", "n": 7}

    raw = [
        {
            "service": kind.service,
            "level": "ERROR",
            "message": kind.message % numbers,
            "exception": kind.exception,
        }
        for kind in kinds
    ]
    signed, _ = prepare(raw, Context(received_at=datetime.now(UTC)))

    found = [one.signature.signature_id for one in signed if one.signature]
    assert found == [kind.signature_id for kind in kinds]
    assert len(set(found)) == len(kinds)
