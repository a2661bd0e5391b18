"""Counts that are kept as chains are digested are those of the chains that stand in the end."""

from collections import Counter
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.incidents.failing_counts import GRAINS, changed_counts, kinds_of
from app.incidents.plan import Plan
from tests.incidents.seeded import START

NAMES = ("chain-1", "chain-2", "chain-3")
ROOTS = ("v1:a", "v1:b", "v1:c")


def row(name: str, root: str, minutes: int, *, is_found: bool) -> Any:
    return SimpleNamespace(
        correlation_id=name,
        root_signature_id=root,
        root_at=START + timedelta(minutes=minutes),
        findings=("slow-query",) if is_found else (),
    )


def stored() -> st.SearchStrategy[dict[tuple[str, str], Any]]:
    """Rows of `incident_chains` by their key."""
    key = st.tuples(st.sampled_from(NAMES), st.sampled_from(ROOTS))
    said = st.tuples(st.integers(-90, 90), st.booleans())
    return st.dictionaries(key, said, max_size=6).map(
        lambda rows: {
            (name, root): row(name, root, minutes, is_found=is_found)
            for (name, root), (minutes, is_found) in rows.items()
        }
    )


def by_chain(rows: dict[tuple[str, str], Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for (name, root), one in rows.items():
        found.setdefault(name, {})[root] = one
    return found


def counted(rows: dict[tuple[str, str], Any]) -> Counter[Any]:
    return Counter(kind for own in by_chain(rows).values() for kind in kinds_of(own))


@given(stored(), stored(), st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(ROOTS))))
def test_what_stood_and_what_changed_is_what_stands(
    before: dict[tuple[str, str], Any], come: dict[tuple[str, str], Any], left: set[Any]
) -> None:
    gone = sorted((left & set(before)) - set(come))
    plan = Plan(
        come=tuple(come.values()), new=(), replaced=(), dropped=tuple(gone), whole=frozenset()
    )
    after = {key: one for key, one in {**before, **come}.items() if key not in gone}

    changed = changed_counts(by_chain(before), plan)

    total = counted(before)
    for one in changed:
        total[one["seconds"], one["start"], one["roots"], one["by_rule"]] += one["chains"]
    assert +total == counted(after)
    assert min(total.values(), default=0) >= 0


@given(stored())
def test_a_chain_counts_once_a_grain_however_many_roots_it_has(
    rows: dict[tuple[str, str], Any],
) -> None:
    chains = len(by_chain(rows))

    total = sum(counted(rows).values())

    assert total == chains * len(GRAINS)
