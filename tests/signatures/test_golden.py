from itertools import chain

import pytest

from app.signatures import sign_text
from scripts.golden import Golden, read_golden

ERRORS = list(chain.from_iterable(read_golden().values()))
LEAST_ERRORS = 120


def test_there_are_enough_golden_errors() -> None:
    assert len(ERRORS) >= LEAST_ERRORS


@pytest.mark.parametrize("golden", ERRORS, ids=lambda golden: golden.group)
def test_v1_says_of_each_golden_error_what_it_always_said(golden: Golden) -> None:
    signature = sign_text(golden.message, golden.exception)

    assert signature.signature_id == golden.v1


def test_errors_of_one_group_share_a_signature() -> None:
    signatures: dict[str, set[str]] = {}
    for golden in ERRORS:
        signature = sign_text(golden.message, golden.exception).signature_id
        signatures.setdefault(golden.group, set()).add(signature)

    assert {group: ids for group, ids in signatures.items() if len(ids) > 1} == {}


def test_errors_of_two_groups_never_share_a_signature() -> None:
    groups: dict[str, set[str]] = {}
    for golden in ERRORS:
        signature = sign_text(golden.message, golden.exception).signature_id
        groups.setdefault(signature, set()).add(golden.group)

    assert {one: names for one, names in groups.items() if len(names) > 1} == {}
