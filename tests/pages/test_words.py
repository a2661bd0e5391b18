"""The laws of what numbers, moments, bars and foreign forms are told as."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pages.charts import bars
from app.pages.guard import is_foreign
from app.pages.wording import ago, machine, percent, quoted, short, span, spoken, utc
from app.query.search.model import Field
from app.query.search.parse import parse_search

_FIRST, _LAST = (datetime(year, 1, 1) for year in (1970, 2999))  # noqa: DTZ001 - they get one
_moments = st.datetimes(min_value=_FIRST, max_value=_LAST, timezones=st.just(UTC))
_HOST = "sentinel.example.com"


@given(st.integers(0, 10**12 - 1))
def test_a_short_number_is_short_and_within_a_twentieth(number: int) -> None:
    told = short(number)

    value = float(told.rstrip("kMG").replace(",", "")) * {"k": 1e3, "M": 1e6, "G": 1e9}.get(
        told[-1], 1
    )
    assert len(told) <= 6
    assert abs(value - number) <= number / 20


@given(st.floats(0, 1))
def test_none_and_all_are_said_only_when_they_are_exact(share: float) -> None:
    told = percent(share)

    assert (told == "0 %") == (share == 0)
    assert (told == "100 %") == (share == 1)


@given(_moments)
def test_a_moment_for_machines_is_read_back_as_it_was(moment: datetime) -> None:
    assert datetime.fromisoformat(machine(moment)) == moment
    assert utc(moment).endswith(" UTC")


@given(_moments, st.timedeltas(timedelta(days=-900), timedelta(days=900)))
def test_what_was_is_ago_and_what_will_be_is_in(now: datetime, distance: timedelta) -> None:
    told = ago(now - distance, now)

    far = abs(distance) >= timedelta(minutes=1)
    assert told.endswith(" ago") == (far and distance > timedelta(0))
    assert told.startswith("in ") == (far and distance < timedelta(0))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 µs"), (0.00084, "840 µs"), (0.0123, "12.3 ms"), (4.56, "4.56 s"), (200, "3 min 20 s"),
     (7_500, "2 h 5 min"), (273_600, "3 d 4 h"), (-2, "\N{MINUS SIGN}2.00 s")],
)  # fmt: skip
def test_a_span_is_told_in_its_own_units(seconds: float, told: str) -> None:
    assert span(timedelta(seconds=seconds)) == told


@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999)), max_size=40))
def test_bars_stand_inside_the_chart_and_are_as_tall_as_what_they_count(
    pairs: list[tuple[int, int]],
) -> None:
    below, above = [one for one, _ in pairs], [other for _, other in pairs]

    drawn = bars(below, above, width=200, height=50)

    most = max((sum(pair) for pair in pairs), default=0)
    assert len(drawn) == sum(1 for pair in pairs for value in pair if value)
    assert all(bar.x >= 0 and bar.x + bar.width <= 200.02 for bar in drawn)
    assert all(bar.y >= 0 and bar.y + bar.height <= 50.02 for bar in drawn)
    assert sum(bar.height for bar in drawn) == pytest.approx(
        50 * sum(map(sum, pairs)) / most if most else 0, abs=0.5
    )


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=50))
def test_any_service_can_be_quoted_in_a_search(name: str) -> None:
    found = parse_search(f"service:{quoted(name)}")

    assert isinstance(found, Field)
    assert found.value == name


@pytest.mark.parametrize(
    ("site", "origin", "foreign"),
    [
        ("same-origin", None, False),
        ("none", None, False),
        ("cross-site", f"https://{_HOST}", True),
        ("same-site", None, True),
        (None, f"https://{_HOST}", False),
        (None, "https://evil.example", True),
        (None, "null", True),
        (None, None, False),
    ],
)
def test_a_change_is_foreign_when_a_browser_says_that_another_site_asks(
    site: str | None, origin: str | None, *, foreign: bool
) -> None:
    assert is_foreign(site=site, origin=origin, host=_HOST) == foreign


@given(st.text(alphabet="ab <>num12id\n", max_size=40))
def test_what_varies_is_left_open_in_a_spoken_title(text: str) -> None:
    said = spoken(text)

    assert not re.search(r"<(?:id|num)>", said)
    assert spoken(said) == said
