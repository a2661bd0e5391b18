from itertools import pairwise
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.signatures import ErrorReport, Families, FamilyState, Frame, RaisedError, Signature, sign
from app.signatures.families import UnknownSignatureError

USERS = ("alice", "bob", "carol", "dave", "eve", "frank", "grace", "heidi")
MESSAGES = st.lists(
    st.sampled_from(
        [f"Failed password for {user} from 10.0.0.1 port 22" for user in USERS]
        + [f"removing service {user} from the old pool" for user in USERS]
        + [f"disk {user} is full" for user in USERS]
        + ["cache is cold", "cache is warm", "upstream returned 404", "upstream returned 503"]
        + [f"GET /{user}/x status: {status} len: 9" for user in USERS for status in (200, 404)]
    ),
    min_size=1,
    max_size=30,
)


def signed(message: str) -> Signature:
    return sign(ErrorReport(message=message))


def observed(*messages: str) -> Families:
    families = Families()
    for message in messages:
        families.observe(signed(message))
    return families


def grouped(families: Families) -> set[tuple[str, ...]]:
    return {family.signatures for family in families.settle().values()}


def family_of(families: Families, message: str) -> str:
    return families.settle()[signed(message).signature_id].family_id


def test_messages_that_differ_in_a_word_that_varies_are_one_family() -> None:
    families = observed(*(f"Failed password for {user} from 10.0.0.1 port 22" for user in USERS))

    (family,) = set(families.settle().values())
    assert family.template == "Failed password for <*> from <ip> port <num>"


def test_two_words_are_no_evidence() -> None:
    families = observed("pool connection opened for reading", "pool connection closed for reading")

    assert len(grouped(families)) == 2


def test_more_evidence_revises_families() -> None:
    shape = "Failed password for {} from 10.0.0.1 port 22"
    families = observed(*map(shape.format, USERS[:2]))
    before = len(grouped(families))

    for user in USERS[2:]:
        families.observe(signed(shape.format(user)))

    assert (before, len(grouped(families))) == (2, 1)


def test_error_statuses_stay_apart() -> None:
    statuses = (400, 401, 403, 404, 409, 500, 502, 503, 504)

    families = observed(*(f"upstream payments returned {status}" for status in statuses))

    assert len(grouped(families)) == len(statuses)


def test_successes_of_an_access_log_are_one_and_each_error_status_its_own() -> None:
    shape = "GET /a/b status: {} len: 5"

    families = observed(*(shape.format(status) for status in (200, 204, 304, 404, 503)))

    assert sorted(map(len, grouped(families))) == [1, 1, 3]


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("worker exited with code {}", "1 2 137"),
        ("process killed by signal {}", "9 11"),
        ("open failed: errno={}", "2 13"),
        ("payments returned {}", "200 404 503"),
        ("rpc failed with code {}", "4 14"),
        ("error={} while connecting", "ECONNREFUSED ETIMEDOUT EPIPE"),
        ("code={} while opening", "ENOENT EACCES"),
        ("circuit breaker state = {}", "open closed"),
        ("status={} upstream", "timeout refused"),
        ("table={} lock wait", "orders users"),
        ("service={} is down", "payments orders"),
        ("login {} for now", "failed succeeded"),
        ("user {}", "deleted locked"),
        ("user {} failed", "creation deletion authentication"),
        ("host {}", "unreachable resolved"),
        ("device {}", "lost found busy"),
        ('violates unique constraint "{}"', "a_key b_key c_key d_key e_key f_key"),
        ('relation "{}" does not exist', "users orders carts items prices stock"),
        ("No module named '{}'", "numpy pandas flask celery redis yaml"),
        ("object has no attribute '{}'", "total price name stock id key"),
        ("failed to {} order", "create update delete refund cancel charge"),
        ("connection to {} refused", "redis postgres kafka mongo elastic smtp"),
        ("Task {} failed", "orders.tasks.charge mail.tasks.send"),
        ("Failed to call {}", "/api/v1/orders /api/v1/payments"),
        ("could not read {}", "/etc/app/db.conf /etc/app/tls.crt"),
    ],
)
def test_what_tells_failures_apart_is_never_one_family(shape: str, words: str) -> None:
    families = observed(*map(shape.format, words.split()))

    assert len(grouped(families)) == len(words.split())


def test_codes_beside_the_message_keep_families_apart() -> None:
    families = Families()
    for code in ("404", "503"):
        families.observe(sign(ErrorReport(message="upstream failed", code=code)))

    assert len(grouped(families)) == 2


def test_a_family_keeps_its_name_whoever_joins() -> None:
    shape = "Failed password for {} from 10.0.0.1 port 22"
    families = observed(*map(shape.format, USERS[:6]))
    before = family_of(families, shape.format("alice"))

    for number in range(40):
        families.observe(signed(shape.format("u" + "abcdefgh"[number % 8] * (number + 1))))

    assert family_of(families, shape.format("alice")) == before


def test_a_split_of_thousands_settles() -> None:
    names = [f"{a}{b}{c}" for a in "bcdfghjklm" for b in "aeiou" for c in "npqrstvwxz"]
    families = observed(*(f"removing service {one}{two} from" for one in names for two in "ae"))
    ids = sorted(families.settle())

    families.split(*ids[:500])

    assert len({families.settle()[one].family_id for one in ids}) == 2


def test_a_list_of_values_is_as_long_as_it_happens_to_be() -> None:
    families = observed(
        "delete blocks blk_1 of 10.0.0.1",
        "delete blocks blk_1 blk_2 blk_3 of 10.0.0.1,10.0.0.2",
        "delete blocks blk_1, blk_2 of 10.0.0.1",
    )

    assert len(grouped(families)) == 1


def test_switches_tell_messages_apart() -> None:
    families = observed("maintenance mode is on now", "maintenance mode is off now")

    assert len(grouped(families)) == 2


def test_exception_types_are_never_one_family() -> None:
    types = ("OSError", "KeyError", "IOError", "EOFError", "TypeError", "ValueError", "NameError")
    families = Families()
    for type_ in types:
        error = RaisedError(type=type_, message="cannot load the plugin of the day")
        families.observe(sign(ErrorReport(message="m", errors=(error,))))

    assert len(grouped(families)) == len(types)


def test_signatures_made_from_frames_stand_alone() -> None:
    families = Families()
    for user in USERS:
        frame = Frame(function=f"load_{user}", module="/srv/app/plugins.py")
        error = RaisedError(type="OSError", message="no such file", frames=(frame,))
        families.observe(sign(ErrorReport(message="m", errors=(error,))))

    assert len(grouped(families)) == len(USERS)


@settings(deadline=None)
@given(MESSAGES, st.randoms(use_true_random=False))
def test_the_order_of_messages_never_changes_families(messages: list[str], random: Random) -> None:
    mixed = list(messages)
    random.shuffle(mixed)

    assert observed(*messages).settle() == observed(*mixed).settle()


@settings(deadline=None)
@given(MESSAGES)
def test_every_signature_is_in_exactly_one_family(messages: list[str]) -> None:
    settled = observed(*messages).settle()

    assert set(settled) == {signed(message).signature_id for message in messages}
    members = [one for family in set(settled.values()) for one in family.signatures]
    assert sorted(members) == sorted(settled)


@settings(deadline=None)
@given(MESSAGES, MESSAGES, st.data())
def test_a_split_is_never_undone_by_the_machine(
    before: list[str], after: list[str], data: st.DataObject
) -> None:
    families = observed(*before)
    family = data.draw(st.sampled_from(sorted(set(families.settle().values()), key=str)))
    taken = data.draw(st.sets(st.sampled_from(family.signatures), min_size=1))
    rest = set(family.signatures) - taken

    families.split(*taken)
    for message in after:
        families.observe(signed(message))

    settled = families.settle()
    homes = {settled[one].family_id for one in taken}
    assert len(homes) == 1
    assert not homes & {settled[one].family_id for one in rest}


@settings(deadline=None)
@given(MESSAGES, MESSAGES, st.data())
def test_a_merge_holds_whatever_comes_after(
    before: list[str], after: list[str], data: st.DataObject
) -> None:
    families = observed(*before)
    ids = sorted(families.settle())
    chosen = data.draw(st.lists(st.sampled_from(ids), min_size=2, max_size=2))

    families.merge(*chosen)
    for message in after:
        families.observe(signed(message))

    settled = families.settle()
    assert all(settled[one] == settled[other] for one, other in pairwise(chosen))


@settings(deadline=None)
@given(MESSAGES, st.data())
def test_a_withdrawn_decision_leaves_no_trace(messages: list[str], data: st.DataObject) -> None:
    families = observed(*messages)
    before = dict(families.settle())
    chosen = data.draw(st.lists(st.sampled_from(sorted(before)), min_size=1, max_size=3))

    decision = families.merge(*chosen) if data.draw(st.booleans()) else families.split(*chosen)
    families.withdraw(decision)

    assert families.settle() == before


@settings(deadline=None)
@given(MESSAGES, st.data())
def test_kept_state_settles_the_same_families(messages: list[str], data: st.DataObject) -> None:
    families = observed(*messages)
    families.split(data.draw(st.sampled_from(sorted(families.settle()))))

    kept = msgspec.json.encode(families.state())
    restored = Families(msgspec.json.decode(kept, type=FamilyState))

    assert restored.settle() == families.settle()


def test_a_split_outlives_a_merge_of_one_part_with_a_stranger() -> None:
    shape = "Failed password for {} from 10.0.0.1 port 22"
    families = observed(*map(shape.format, USERS), "cache is cold")
    families.split(signed(shape.format("bob")).signature_id)

    families.merge(signed(shape.format("bob")).signature_id, signed("cache is cold").signature_id)

    assert family_of(families, shape.format("bob")) == family_of(families, "cache is cold")
    assert family_of(families, shape.format("bob")) != family_of(families, shape.format("eve"))


def test_a_person_may_undo_a_split_by_merging() -> None:
    families = observed("pool opened", "pool closed")
    one, other = (signed(text).signature_id for text in ("pool opened", "pool closed"))
    families.merge(one, other)
    families.split(one)

    families.merge(one, other)

    assert len(grouped(families)) == 1


def test_a_stored_signature_never_changes() -> None:
    before = [signed(f"Failed password for {user}") for user in USERS]
    families = observed(*(f"Failed password for {user}" for user in USERS))

    families.merge(*(one.signature_id for one in before))

    assert [signed(f"Failed password for {user}") for user in USERS] == before


def test_an_unknown_signature_is_refused() -> None:
    with pytest.raises(UnknownSignatureError):
        Families().split("v1:none")
