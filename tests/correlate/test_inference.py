"""Roots of which no record arrived, or that no record tells of."""

from app.correlate.chain import Confidence, correlate
from app.normalise.record import Severity
from tests.correlate.records import G, I, P, error, incident, record, without


def test_a_root_whose_record_never_arrived_is_inferred_from_its_span_and_never_certain() -> None:
    chain = correlate(without(incident(), 4))

    (root,) = chain.roots
    assert (root.service, root.link.service, root.inferred) == ("inventory", "payment", True)
    assert root.confidence is not Confidence.CERTAIN
    assert chain.evidence_incomplete


def test_a_root_of_which_nothing_arrived_is_inferred_from_the_name_in_the_report() -> None:
    chain = correlate(without(incident(), 3, 4, 5))

    (root,) = chain.roots
    assert (root.service, root.inferred, root.confidence) == (
        "inventory", True, Confidence.UNSURE,
    )  # fmt: skip


def test_a_gateway_status_leads_on_to_the_callee_that_never_answered() -> None:
    chain = correlate(without(incident(), 4, 5, 6))

    (root,) = chain.roots
    assert (root.service, root.link.service, root.inferred) == ("inventory", "gateway", True)


def test_a_timeout_waiting_for_a_hanging_callee_began_in_the_callee() -> None:
    chain = correlate([
        record(1, "payment", "request received", **P),
        record(2, "inventory", "request received", **I),
        record(9, "payment", "", exception_type="httpx.ReadTimeout", **P),
    ])  # fmt: skip

    assert (chain.roots[0].service, chain.roots[0].inferred) == ("inventory", True)


def test_an_error_that_says_nothing_is_looked_through_to_the_callee_that_never_answered() -> None:
    chain = correlate([
        record(1, "tax", "request received", span_id="t", parent_span_id="p"),
        record(2, "tax", "request answered 200", span_id="t", parent_span_id="p"),
        record(3, "inventory", "request received", **I),
        record(9, "payment", "could not complete the request", exception_type="shop.RequestFailed",
               exception_message="giving up", **P),
    ])  # fmt: skip

    (root,) = chain.roots
    assert (root.service, root.inferred, root.confidence) == (
        "inventory", True, Confidence.LIKELY,
    )  # fmt: skip


def test_an_error_that_says_what_failed_is_not_looked_through() -> None:
    chain = correlate([
        record(3, "inventory", "request received", **I),
        error(9, "payment", "article 17 is sold out", **P),
    ])  # fmt: skip

    assert (chain.roots[0].service, chain.roots[0].inferred) == ("payment", False)


def test_a_warning_names_the_callee_that_no_record_tells_of() -> None:
    chain = correlate([
        record(1, "payment", "tax failed with 503; retry in 100 ms", level=Severity.WARNING, **P),
        error(2, "payment", "giving up", **P),
    ])  # fmt: skip

    (root,) = chain.roots
    assert (root.service, root.confidence) == ("tax", Confidence.UNSURE)


def test_a_silent_service_that_an_error_names_is_the_unknown_caller_of_what_failed() -> None:
    chain = correlate([
        record(1, "gateway", "request received", **G),
        record(2, "shop", "request received", span_id="s", parent_span_id="g"),
        record(3, "inventory", "x", exception_type="KeyError", **I),
        error(5, "shop", "502 from payment", span_id="s", parent_span_id="g"),
    ])  # fmt: skip

    (root,) = chain.roots
    assert (root.service, root.link.record_id.int) == ("inventory", 3)
    assert [one.link.service for one in root.symptoms] == ["shop"]


def test_a_last_word_without_a_status_does_not_undo_an_error() -> None:
    chain = correlate([
        record(1, "payment", "begin", **P),
        record(2, "inventory", "begin", **I),
        error(3, "inventory", "pricing failed", exception_type="ZeroDivisionError", **I),
        record(4, "inventory", "done", **I),
        error(5, "payment", "502 from inventory", **P),
    ])  # fmt: skip

    (root,) = chain.roots
    assert root.service == "inventory"
    assert [one.link.service for one in root.symptoms] == ["payment"]


def test_the_path_of_a_request_is_no_service() -> None:
    chain = correlate([
        record(1, "web", "GET users", **P),
        error(2, "web", "x", exception_type="KeyError", **P),
    ])  # fmt: skip

    assert chain.gaps == ()
    assert chain.roots[0].confidence is Confidence.CERTAIN
