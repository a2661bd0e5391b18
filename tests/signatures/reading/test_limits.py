"""How much is kept, and in which order."""

from hypothesis import given
from hypothesis import strategies as st

from app.signatures.reading.limits import both_ends, inside_out


@given(st.lists(st.integers()), st.integers(1, 20).map(lambda half: 2 * half))
def test_both_ends_keep_the_first_and_the_last(items: list[int], most: int) -> None:
    kept = both_ends(items, most)

    assert len(kept) == min(len(items), most)
    assert list(kept[: most // 2]) == items[: most // 2]
    assert list(kept[-1:]) == items[-1:]


def test_a_chain_is_turned_around() -> None:
    assert inside_out([(0, "outer"), (1, "middle"), (2, "root")]) == ["root", "middle", "outer"]


def test_siblings_keep_their_order_before_their_parent() -> None:
    tree = [(0, "group"), (2, "first"), (4, "its cause"), (2, "second")]

    assert inside_out(tree) == ["its cause", "first", "second", "group"]


@given(st.lists(st.tuples(st.integers(-1, 5), st.integers())))
def test_no_node_is_lost(nodes: list[tuple[int, int]]) -> None:
    assert sorted(inside_out(nodes)) == sorted(item for _, item in nodes)
