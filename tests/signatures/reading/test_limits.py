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
    assert inside_out([(0, "outer"), (1, "middle"), (2, "root")], str) == [
        "root",
        "middle",
        "outer",
    ]


def test_siblings_are_sorted_before_their_parent() -> None:
    tree = [(0, "group"), (2, "second"), (4, "a cause"), (2, "first"), (0, "a root")]

    assert inside_out(tree, str) == ["first", "a cause", "second", "group", "a root"]


@given(st.lists(st.tuples(st.integers(-1, 5), st.integers())))
def test_no_node_is_lost(nodes: list[tuple[int, int]]) -> None:
    assert sorted(inside_out(nodes, int)) == sorted(item for _, item in nodes)
