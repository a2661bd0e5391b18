import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from app.incidents.releases import is_older

RELEASES = st.one_of(
    st.text(max_size=12),
    st.from_regex(r"\Av?[0-9]{1,3}(\.[0-9]{1,3}){0,3}((a|b|rc)[0-9])?\Z"),
    st.from_regex(r"\A[0-9]\.[0-9]\.[0-9]-[0-9a-z.-]{1,6}(\+[a-z0-9]{1,3})?\Z"),
    st.from_regex(r"\A[0-9a-f]{7,40}\Z"),
    st.from_regex(r"\A(pay|shop)@[0-9]\.[0-9]\Z"),
)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.2.3", "1.2.10"),
        ("v1.9", "2"),
        ("1.0rc1", "1.0"),
        ("1.0", "1.0.post1"),
        ("2026.9.1", "2026.11.20"),
        ("20261119", "20261120"),
        ("shop@1.2", "shop@1.10"),
        # SemVer 2.0.0, section 11.4.4: its own example, from the least to the greatest.
        ("1.0.0-alpha.1", "1.0.0-alpha.beta"),
        ("1.0.0-alpha.beta", "1.0.0-beta"),
        ("1.0.0-beta.2", "1.0.0-beta.11"),
        ("1.0.0-beta.11", "1.0.0-rc.1"),
        ("2.1.0-feature-x", "2.1.0"),
    ],
)
def test_versions_are_compared_as_versions(older: str, newer: str) -> None:
    assert is_older(older, newer, seen=())
    assert not is_older(newer, older, seen=(newer, older))


@pytest.mark.parametrize(
    ("release", "fixed"),
    [
        ("12a4567", "9c12345"),
        ("f00dcafe", "1.2.3"),
        ("1.2.3+build7", "1.2.3+build8"),
        ("gateway@9.1", "payment@1.2"),
        ("blue", "green"),
    ],
)
def test_where_names_tell_no_order_a_release_seen_before_is_older(release: str, fixed: str) -> None:
    assert is_older(release, fixed, seen=[release])
    assert not is_older(release, fixed, seen=[])


@given(RELEASES, st.sets(RELEASES))
def test_no_release_is_older_than_itself(release: str, seen: set[str]) -> None:
    assert not is_older(release, release, seen=seen)


@given(RELEASES, RELEASES)
def test_of_two_releases_that_nobody_saw_at_most_one_is_the_older(one: str, other: str) -> None:
    assert not (is_older(one, other, seen=()) and is_older(other, one, seen=()))


@given(RELEASES, RELEASES, st.sets(RELEASES))
def test_having_seen_more_never_makes_a_release_newer(one: str, other: str, seen: set[str]) -> None:
    assert is_older(one, other, seen=seen) >= is_older(one, other, seen=())


@given(
    st.lists(st.integers(0, 99), min_size=1, max_size=4),
    st.lists(st.integers(0, 99), min_size=1, max_size=4),
)
def test_numbered_releases_are_in_the_order_of_their_numbers(a: list[int], b: list[int]) -> None:
    one, other = (".".join(str(n) for n in numbers) for numbers in (a, b))

    assert is_older(one, other, seen=()) == (Version(one) < Version(other))
