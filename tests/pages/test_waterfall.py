"""The laws of the waterfall: where rows stand, and which are folded."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.catalogue.watch import Watch
from app.correlate.sequence_queries import Missing
from app.normalise.record import Severity
from app.pages.chain.axis import axis_of, runs_of
from app.pages.chain.folding import between, folded, window
from app.pages.chain.paging import only, page_of
from app.pages.chain.rows import FoldRow, GapRow, InferredRow, PauseRow, RecordRow, Row
from app.pages.chain.waterfall import lay_out
from app.query.assemble import Known, assemble_chain, links_of
from app.query.chain_views import ChainView
from app.query.views import RecordView, SignatureView

START = datetime(2026, 11, 21, 10, tzinfo=UTC)
SERVICES = ("gateway", "order", "payment", "ledger")
FAILS = "v1:" + "0" * 32


@st.composite
def chains(draw: st.DrawFn, most: int = 24) -> ChainView:
    """Records of four services in any order, some errors, clocks and callers as they come."""
    records = [_record(draw, number) for number in range(draw(st.integers(1, most)))]
    return assembled(records)


def _record(draw: st.DrawFn, number: int) -> RecordView:
    service = draw(st.sampled_from(SERVICES))
    depth = SERVICES.index(service)
    fails = draw(st.integers(0, 9)) == 0
    late = timedelta(milliseconds=draw(st.integers(0, 5_000)))
    use = timedelta(hours=draw(st.sampled_from((0, 0, 0, 0, 3))))
    return record(
        number,
        service,
        START + late + use,
        fails=fails,
        sequence=draw(st.none() | st.just(number)),
        span=str(depth),
        above=str(depth - 1) if depth and draw(st.booleans()) else None,
    )


def record(
    number: int,
    service: str,
    moment: datetime,
    *,
    fails: bool = False,
    sequence: int | None = None,
    span: str | None = None,
    above: str | None = None,
) -> RecordView:
    return RecordView(
        record_id=UUID(int=number),
        occurred_at=moment,
        received_at=moment,
        service=service,
        level=Severity.ERROR if fails else Severity.INFO,
        message=f"{service} says {number}",
        environment=None,
        release=None,
        instance=f"{service}-1",
        span_id=span,
        parent_span_id=above,
        sequence=sequence,
        signature_id=FAILS if fails else None,
        exception=None,
        attributes={},
        annotations=(),
    )


def assembled(
    records: Sequence[RecordView], missing: Missing | None = None, *, capped: bool = False
) -> ChainView:
    signature = SignatureView(
        signature_id=FAILS, version="v1", exception_type="", title="it fails", message="",
        culprit="", callee="", caller="", explanation={}, sample="", first_seen=START,
        last_seen=START, records=1,
    )  # fmt: skip
    return assemble_chain(
        "chain",
        records,
        links_of(records),
        missing=missing or {},
        known=Known(signatures={FAILS: signature}, matches={}, incidents={}),
        watch=Watch(()),
        now=START,
        capped=capped,
    )


def _records(rows: Sequence[Row]) -> list[UUID]:
    return [row.record.record_id for row in rows if isinstance(row, RecordRow)]


@given(chains())
def test_every_record_is_a_row_in_causal_order_and_stands_within_its_axis(chain: ChainView) -> None:
    drawn = lay_out(chain)

    assert _records(drawn.rows) == [one.record_id for one in chain.records]
    for row in drawn.rows:
        if isinstance(row, RecordRow):
            assert 0 <= row.at <= 100
            assert row.since_start >= timedelta(0)
            assert 0 <= row.call.x <= row.at + 0.01
            assert row.at <= row.call.x + row.call.width + 0.01
            assert row.call.x + row.call.width <= 100.01
        if isinstance(row, GapRow | InferredRow):
            assert row.bar.x >= 0
            assert row.bar.x + row.bar.width <= 100.01
            assert row.bar.width > 0


@given(chains())
def test_each_use_of_an_id_has_an_axis_of_its_own(chain: ChainView) -> None:
    drawn = lay_out(chain)

    uses = len(set(runs_of(chain.records).values()))
    assert len(drawn.axes) == uses
    assert sum(isinstance(row, PauseRow) for row in drawn.rows) == uses - 1


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_an_axis_holds_its_moments_and_is_at_most_half_empty(offsets: list[int]) -> None:
    moments = [START + timedelta(microseconds=one) for one in offsets]

    axis = axis_of(moments)

    length = max(moments) - min(moments)
    assert axis.start == min(moments)
    assert length <= axis.length <= max(length * 1.5, timedelta(milliseconds=1))


@given(chains(), st.integers(0, 59))
def test_folding_hides_quiet_records_only_and_opens_to_them_all(
    chain: ChainView, number: int
) -> None:
    rows = lay_out(chain).rows
    keep = UUID(int=number)

    drawn = folded(rows, keep=keep)

    told = []
    for row in drawn:
        if isinstance(row, FoldRow):
            inside = between(rows, row.first, row.last)
            assert all(isinstance(one, RecordRow) and one.is_quiet for one in inside)
            assert len(inside) == row.records
            assert keep not in _records(inside)
            told += _records(inside)
        else:
            told += _records([row])
    assert told == _records(rows)


@given(chains(), st.integers(1, 30), st.integers(0, 59))
def test_windows_follow_each_other_without_a_row_lost(
    chain: ChainView, most: int, number: int
) -> None:
    rows = folded(lay_out(chain).rows)

    seen: list[Row] = []
    rest: Sequence[Row] = rows
    while True:
        drawn = window(rest, most=most)
        seen += drawn.rows
        if drawn.next is None:
            break
        rest = rest[len(drawn.rows) :]

    assert seen == list(rows)
    wanted = UUID(int=number)
    around = window(rows, around=wanted, most=most)
    assert wanted not in _records(rows) or wanted in _records(around.rows)


@given(chains(), st.sets(st.integers(0, 59)))
def test_a_part_of_a_chain_keeps_each_record_in_its_call(
    chain: ChainView, numbers: set[int]
) -> None:
    names = {UUID(int=number) for number in numbers}

    part = only(chain, names)

    kept = [one for one in chain.records if one.record_id in names]
    assert list(part.records) == kept
    placed = sorted(place for call in part.calls for place in call.records)
    assert placed == list(range(len(kept)))
    assert all(call.parent is None or call.parent < len(part.calls) for call in part.calls)


def test_numbers_that_never_came_are_a_hatched_row_between_their_neighbours() -> None:
    records = [
        record(1, "gateway", START, sequence=1),
        record(2, "gateway", START + timedelta(seconds=1), sequence=4),
        record(3, "gateway", START + timedelta(seconds=2), sequence=5, fails=True),
    ]

    drawn = lay_out(assembled(records, {("gateway", "gateway-1"): [(2, 3)]}))

    kinds = [row.kind for row in drawn.rows]
    gap = drawn.rows[1]
    assert kinds == ["record", "gap", "record", "record"]
    assert isinstance(gap, GapRow)
    assert (gap.bar.x, gap.bar.width) == (0, 50)


def test_a_clock_that_runs_ahead_is_drawn_where_its_calls_put_it() -> None:
    def at(seconds: float) -> datetime:
        return START + timedelta(seconds=seconds)

    records = [
        record(1, "gateway", at(0), span="a"),
        record(2, "payment", at(2.4), span="b", above="a"),
        record(3, "payment", at(2.5), span="b", above="a", fails=True),
        record(4, "gateway", at(0.3), span="a", fails=True),
    ]

    drawn = lay_out(assembled(records))

    rows = [row for row in drawn.rows if isinstance(row, RecordRow)]
    assert [row.record.record_id.int for row in rows] == [1, 2, 3, 4]
    assert [row.shifted for row in rows] == [False, True, True, False]
    assert [row.since_start for row in rows] == sorted(row.since_start for row in rows)
    assert drawn.length == timedelta(seconds=0.3)


def test_the_pages_of_a_long_chain_hold_each_record_once() -> None:
    records = [record(n, "import", START + timedelta(seconds=n)) for n in range(25)]

    first = page_of(assembled(records, capped=True), None, total=100, most=10)
    second = page_of(
        assembled(records, capped=True), (START + timedelta(seconds=9), UUID(int=9)), total=100,
        most=10,
    )  # fmt: skip

    assert first.last == UUID(int=9)
    assert [one.record_id.int for one in second.chain.records] == list(range(10, 20))
    assert second.last == UUID(int=19)
