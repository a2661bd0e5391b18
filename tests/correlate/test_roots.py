from datetime import timedelta

import msgspec

from app.correlate.chain import Chain, Confidence, GapKind, Link, correlate
from tests.correlate.records import G, I, P, S, error, incident, record, without


def services(chain: Chain) -> list[str]:
    return [root.service for root in chain.roots]


def test_the_deepest_failure_is_the_root_and_the_others_pass_it_on() -> None:
    chain = correlate(incident())

    (root,) = chain.roots
    assert (root.service, root.link.record_id.int, root.inferred) == ("inventory", 4, False)
    assert root.confidence is Confidence.CERTAIN
    assert [one.link.service for one in root.symptoms] == ["payment", "gateway"]
    assert "it names inventory" in root.symptoms[0].reason
    assert not chain.evidence_incomplete


def test_records_that_never_arrived_forbid_certainty_and_are_counted() -> None:
    links = [msgspec.structs.replace(link, instance=link.service, sequence=link.record_id.int)
             for link in incident()]  # fmt: skip

    chain = correlate(links, missing={("payment", "payment"): [(3, 5)]})

    (gap,) = [gap for gap in chain.gaps if gap.kind is GapKind.MISSING_RECORDS]
    assert (gap.service, gap.records, gap.reason) == (
        "payment", 3, "3 records never arrived from payment",
    )  # fmt: skip
    assert (gap.after, gap.before) == (links[1].record_id, links[5].record_id)
    assert chain.roots[0].confidence is Confidence.LIKELY


def test_numbers_missing_elsewhere_in_the_stream_do_not_concern_a_chain() -> None:
    links = [record(n, "a", instance="i", sequence=n) for n in (10, 20)]

    assert correlate(links, missing={("a", "i"): [(1, 8), (22, 30)]}).gaps == ()
    assert len(correlate(links, missing={("a", "i"): [(9, 9), (15, 15), (21, 21)]}).gaps) == 3


def test_a_chain_that_was_not_read_to_its_end_is_never_certain() -> None:
    chain = correlate(incident(), capped=True)

    assert chain.capped
    assert chain.evidence_incomplete
    assert chain.roots[0].confidence is Confidence.LIKELY


def test_retries_of_one_call_count_once() -> None:
    attempts = [
        error(10 + n, "inventory", "disk full", span_id=f"i{n}", parent_span_id="p")
        for n in range(3)
    ]
    chain = correlate([record(1, "payment", **P), *attempts, error(20, "payment", "gave up", **P)])

    (root,) = chain.roots
    assert (root.link.record_id.int, root.retries, len(root.symptoms)) == (10, 2, 1)


def test_what_one_attempt_lost_another_tells() -> None:
    def attempt(n: int) -> list[Link]:
        payment = {"span_id": f"p{n}", "parent_span_id": "g"}
        inventory = {"span_id": f"i{n}", "parent_span_id": f"p{n}"}
        return [
            record(n + 1, "inventory", "request received", **inventory),
            error(n + 2, "inventory", "disk full", **inventory),
            error(n + 3, "payment", f"500 from inventory {n}", **payment),
        ]

    second = [link for link in attempt(20) if link.record_id.int != 22]
    chain = correlate([record(1, "gateway", **G), *attempt(10), *second])

    (root,) = chain.roots
    assert root.link.record_id.int == 12


def test_two_failures_side_by_side_are_two_roots() -> None:
    chain = correlate([
        record(1, "gateway", **G),
        record(2, "a", "x", exception_type="KeyError", span_id="a", parent_span_id="g"),
        record(2, "b", "y", at=2.1, exception_type="TypeError", span_id="b", parent_span_id="g"),
        error(5, "gateway", "500 from a", **G),
    ])  # fmt: skip

    assert services(chain) == ["a", "b"]
    assert [one.link.service for one in chain.roots[0].symptoms] == ["gateway"]


def test_a_failure_that_was_lived_with_is_a_root_of_its_own_behind_the_fatal_one() -> None:
    chain = correlate([
        record(1, "gateway", "request received", **G),
        error(2, "cache", "cannot read", span_id="c", parent_span_id="g"),
        record(3, "gateway", "cache failed, falling back to the database", **G),
        record(4, "tax", "x", exception_type="KeyError", span_id="t", parent_span_id="g"),
        error(5, "gateway", "request failed", **G),
    ])  # fmt: skip

    assert services(chain) == ["tax", "cache"]
    assert [one.link.service for one in chain.roots[0].symptoms] == ["gateway"]


def test_a_failure_inside_a_call_that_ended_well_explains_nothing_above() -> None:
    chain = correlate([
        error(2, "payment", "cannot warm up", **P),
        record(3, "payment", "request answered 200", **P),
        record(4, "gateway", "x", exception_type="KeyError", **G),
    ])  # fmt: skip

    assert services(chain) == ["gateway", "payment"]


def test_a_refused_database_is_the_fault_of_where_it_was_met() -> None:
    chain = correlate([
        record(2, "inventory", "request received", **I),
        record(3, "payment", "redis down", exception_type="redis.ConnectionError", **P),
    ])  # fmt: skip

    assert (chain.roots[0].service, chain.roots[0].inferred) == ("payment", False)


def test_caller_fields_do_where_there_are_no_spans_and_clocks_are_off() -> None:
    chain = correlate([
        record(1, "gateway", "request received"),
        error(4, "gateway", "payment gave up", attributes={"service.peer.name": "payment"}),
        error(8, "payment", "disk full", attributes={"caller": "gateway"}),
    ])  # fmt: skip

    (root,) = chain.roots
    assert root.service == "payment"


def test_two_programs_of_one_name_may_call_each_other() -> None:
    chain = correlate([
        record(1, "api", "request received", instance="front", span_id="1"),
        record(2, "api", "x", exception_type="KeyError", instance="back", span_id="2",
               parent_span_id="1"),
        error(3, "api", "500 from api", instance="front", span_id="1"),
    ])  # fmt: skip

    (root,) = chain.roots
    assert root.link.instance == "back"
    assert [call.instance for call in chain.calls] == ["front", "back"]


def test_a_correlation_id_used_again_next_day_has_roots_of_its_own() -> None:
    later = [
        msgspec.structs.replace(link, occurred_at=link.occurred_at + timedelta(days=1))
        for link in incident()
    ]

    assert services(correlate([*incident(), *later])) == ["inventory", "inventory"]


def test_a_chain_without_errors_has_order_and_gaps_and_no_roots() -> None:
    chain = correlate([
        record(1, "gateway", "calling payment", **G),
        record(2, "gateway", "request answered 200", **G),
    ])  # fmt: skip

    assert chain.roots == ()
    assert [(gap.kind, gap.service) for gap in chain.gaps] == [(GapKind.UNANSWERED_CALL, "gateway")]


def test_a_request_that_began_and_never_ended_is_told() -> None:
    links = [link for link in incident() if not link.is_error and link.service != "payment"]

    chain = correlate([
        *without(links, 9), record(30, "x", "request answered 200", span_id="x"),
    ])  # fmt: skip

    assert (GapKind.NO_END, "gateway") in [(gap.kind, gap.service) for gap in chain.gaps]


def test_a_refusal_beside_an_error_of_its_own_is_the_failure_that_its_caller_reports() -> None:
    chain = correlate([
        record(1, "payment", "calling shop", **P),
        record(2, "shop", "webhook received", **S),
        record(3, "shop", "x", exception_type="SignatureMismatch", **S),
        record(4, "shop", "webhook answered 401", attributes={"status": 401}, **S),
        record(5, "payment", "", exception_type="httpx.HTTPStatusError",
               exception_message="Client error '401' for url 'http://shop/hook'", **P),
    ])  # fmt: skip

    (root,) = chain.roots
    assert (root.service, root.link.record_id.int, root.inferred) == ("shop", 3, False)
    assert [one.link.service for one in root.symptoms] == ["payment"]


def test_a_refusal_alone_is_a_good_answer() -> None:
    chain = correlate([
        record(1, "shop", "webhook received", **S),
        record(2, "shop", "webhook answered 401", attributes={"status": 401}, **S),
        error(3, "payment", "could not complete the request", **P),
    ])  # fmt: skip

    assert (chain.roots[0].service, chain.roots[0].inferred) == ("payment", False)


def test_a_failure_that_the_next_attempt_mended_is_not_why_the_caller_of_both_failed() -> None:
    chain = correlate([
        error(2, "tax", "disk full", span_id="t1", parent_span_id="p"),
        record(3, "tax", "request answered 200", span_id="t2", parent_span_id="p"),
        record(4, "inventory", "request answered 500", **I),
        record(5, "payment", "request answered 502", **P),
        error(6, "gateway", "502 from payment", **G),
    ])  # fmt: skip

    assert [(root.service, root.inferred) for root in chain.roots] == [
        ("inventory", True), ("tax", False),
    ]  # fmt: skip


def test_a_word_about_no_callee_is_about_the_one_that_failed_before_the_last() -> None:
    chain = correlate([
        record(1, "gateway", "request received", **G),
        error(2, "cache", "cannot read", span_id="c", parent_span_id="g"),
        record(6, "tax", "request received", at=1.5, span_id="t", parent_span_id="g"),
        record(3, "gateway", "continuing without optional data", **G),
        record(4, "tax", "x", exception_type="KeyError", span_id="t", parent_span_id="g"),
        record(5, "gateway", "request answered 502", **G),
    ])  # fmt: skip

    assert services(chain) == ["tax", "cache"]


def test_an_end_in_failure_that_no_error_explains_forbids_certainty() -> None:
    links = [link for link in incident() if link.record_id.int not in (6, 8)]

    assert correlate(links).roots[0].confidence is Confidence.LIKELY


def test_of_two_failures_below_an_unknown_caller_the_earlier_stands_first() -> None:
    chain = correlate([
        error(1, "migrations", "coroutine was never awaited", span_id="m", parent_span_id="x"),
        record(2, "orders", "request received", span_id="o", parent_span_id="x"),
        error(3, "orders", "no such table", span_id="o", parent_span_id="x"),
    ])  # fmt: skip

    assert services(chain) == ["migrations", "orders"]


def test_attempts_keep_their_order_when_their_caller_is_known_by_its_last_words_only() -> None:
    first = {"span_id": "p1", "parent_span_id": "x"}
    second = {"span_id": "p2", "parent_span_id": "y"}
    chain = correlate([
        record(2, "payment", "request received", at=1, **first),
        error(1, "payment", "disk full", at=2.2, **first),
        error(3, "payment", "disk full", at=3, **second),
        error(4, "gateway", "500 from payment", at=2.5, **G),
    ])  # fmt: skip

    (root,) = chain.roots
    assert (root.link.record_id.int, root.retries) == (1, 1)
