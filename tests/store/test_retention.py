from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.store.partitions import Partition, partition_name
from app.store.retention import EMPTY_BYTES, expired

TODAY = date(2026, 11, 20)
MEGABYTE = 1 << 20
days_around = st.integers(-400, 60).map(lambda n: TODAY + timedelta(days=n))
stored = st.dictionaries(days_around, st.integers(0, 50 * MEGABYTE), max_size=30)


def partitions(sizes: dict[date, int], *, default: int = 0) -> list[Partition]:
    daily = [Partition(name=partition_name(day), bytes=size) for day, size in sizes.items()]
    return [*daily, Partition(name="log_records_default", bytes=default)]


def names(sizes: dict[date, int], *, days: int = 0, most: int = 0, default: int = 0) -> list[str]:
    stored_now = partitions(sizes, default=default)
    found = expired(stored_now, today=TODAY, keep_days=days, keep_bytes=most)
    return [partition.name for partition in found]


def before(*days: int, size: int = MEGABYTE) -> dict[date, int]:
    return {TODAY - timedelta(days=n): size for n in days}


def test_a_day_goes_when_all_of_it_is_too_old() -> None:
    assert names(before(32, 31, 30, 29), days=30) == [
        "log_records_20261019",
        "log_records_20261020",
    ]


def test_zero_keeps_for_ever() -> None:
    assert names(before(*range(400))) == []


def test_over_the_cap_the_oldest_go_and_no_more_than_needed() -> None:
    assert names(before(0, 1, 2, 3), most=2 * MEGABYTE) == [
        "log_records_20261117",
        "log_records_20261118",
    ]
    assert names(before(0, 1, 2, 3), most=4 * MEGABYTE) == []


def test_what_age_drops_counts_for_the_cap() -> None:
    found = expired(
        partitions(before(0, 1, 2, 9)), today=TODAY, keep_days=7, keep_bytes=2 * MEGABYTE
    )

    assert [(one.name, one.reason) for one in found] == [
        ("log_records_20261111", "age"),
        ("log_records_20261118", "bytes"),
    ]


def test_an_empty_partition_is_not_dropped_for_its_bytes() -> None:
    sizes = {**before(2, size=EMPTY_BYTES), **before(0, 1)}

    assert names(sizes, most=MEGABYTE) == ["log_records_20261119"]


def test_a_default_partition_over_the_cap_costs_no_day() -> None:
    sizes = before(0, 1, 2, 3)

    assert names(sizes, most=4 * MEGABYTE, default=100 * MEGABYTE) == []
    assert names(sizes, most=3 * MEGABYTE, default=100 * MEGABYTE) == ["log_records_20261117"]


@given(stored, st.integers(0, 60), st.integers(0, 200 * MEGABYTE), st.integers(0, 400 * MEGABYTE))
def test_retention_keeps_its_promises(
    sizes: dict[date, int], keep_days: int, keep_bytes: int, default: int
) -> None:
    found = expired(
        partitions(sizes, default=default), today=TODAY, keep_days=keep_days, keep_bytes=keep_bytes
    )

    dropped = {one.name: one for one in found}
    left = {day: size for day, size in sizes.items() if partition_name(day) not in dropped}
    assert all(day in left for day in sizes if day >= TODAY)
    if keep_days:
        assert min(left, default=TODAY) >= TODAY - timedelta(days=keep_days)
    if keep_bytes and sum(left.values()) > keep_bytes:
        assert all(size <= EMPTY_BYTES for day, size in left.items() if day < TODAY)
    for_bytes = [one for one in found if one.reason == "bytes"]
    if for_bytes:
        assert sum(left.values()) + for_bytes[-1].bytes > keep_bytes
    assert [one.name for one in found] == sorted(dropped)
