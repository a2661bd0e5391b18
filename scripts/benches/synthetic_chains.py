"""Root causes measured on simulated chains: how often the right one is named, and how surely.

Truth is where the simulation put the fault. A chain counts when at least one error of it arrived:
without one, nothing is known to have failed. Right means: the first root's service is where the
fault was put, and its record is the fault's own, when that arrived; of two independent faults, both
are roots. Seeds below `HELD_OUT` are for tuning; figures are for seeds from there on.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from app.correlate.chain import Chain, Confidence, correlate
from scripts.benches.frame import Options, Row
from scripts.benches.synthetic_shop import STYLES, Shop, Simulated

HELD_OUT: Final = 1_000_000
CHAINS: Final = 2_000
QUICK: Final = 300
LOSSES: Final = ((0.0, None), (0.1, 0.98), (0.3, 0.90))


class Verdict(msgspec.Struct, frozen=True):
    """One chain held against the truth."""

    seed: int
    simulated: Simulated
    chain: Chain
    right: bool
    knowable: bool
    certain: bool
    seconds: float


def root_cause_rows(options: Options) -> Iterator[Row]:
    """Shares of right roots, of wrong ones that were called certain, and the time a chain takes."""
    count = QUICK if options.quick else CHAINS
    verdicts: list[Verdict] = []
    for lost, goal in LOSSES:
        judged = list(judge(range(HELD_OUT, HELD_OUT + count), lost))
        yield _share(f"root right, {lost:.0%} of records lost", judged, goal)
        if lost:
            known = sum(v.knowable for v in judged) / len(judged)
            yield Row(f"root knowable at all, {lost:.0%} lost", known, "", "", None)
        for style in STYLES:
            yield _share(
                f"root right, {lost:.0%} lost, {style}",
                [v for v in judged if v.simulated.style == style],
                None,
            )
        verdicts += judged
    yield from _certainty(verdicts)
    each = sum(v.seconds for v in verdicts) / len(verdicts) * 1e6
    yield Row("correlate, mean", each, "µs a chain", "", None)


def _certainty(verdicts: Sequence[Verdict]) -> Iterator[Row]:
    wrong = [v for v in verdicts if v.certain and not v.right]
    gapped = sum(not v.simulated.complete for v in wrong)
    yield Row("certain and wrong, records lost", gapped, "chains", "0", gapped == 0)
    yield Row("certain and wrong, of all", len(wrong) / len(verdicts), "", "", None)
    certain = sum(v.certain for v in verdicts) / len(verdicts)
    yield Row("certain, of all", certain, "", "", None)
    expected = sum(len(v.chain.roots) <= v.simulated.faults for v in verdicts)
    yield Row("no more roots than faults", expected / len(verdicts), "", "", None)


def _share(name: str, verdicts: Sequence[Verdict], goal: float | None) -> Row:
    if not verdicts:
        return Row(name, None, "", "", None)
    share = sum(v.right for v in verdicts) / len(verdicts)
    if goal is None:
        return Row(name, share, "", "", None)
    return Row(name, share, "", f">= {goal}", share >= goal)


def judge(seeds: range, lost: float) -> Iterator[Verdict]:
    """Simulate, correlate, compare; chains of which no error arrived are left out."""
    for seed in seeds:
        simulated = Shop(seed).arrived(lost, seed)
        if not any(link.is_error for link in simulated.links):
            continue
        started = time.perf_counter()
        chain = correlate(simulated.links, missing=simulated.missing)
        seconds = time.perf_counter() - started
        yield Verdict(
            seed=seed,
            simulated=simulated,
            chain=chain,
            right=_is_right(simulated, chain),
            knowable=_is_knowable(simulated),
            certain=any(root.confidence == Confidence.CERTAIN for root in chain.roots[:1]),
            seconds=seconds,
        )


def _is_right(simulated: Simulated, chain: Chain) -> bool:
    faults = len(simulated.root_services)
    return all(
        any(
            root.service == service
            and (lost or (root.link.record_id == record and not root.inferred))
            for root in (chain.roots if faults > 1 else chain.roots[:1])
        )
        for service, record, lost in zip(
            simulated.root_services,
            simulated.root_records,
            simulated.first_record_lost,
            strict=True,
        )
    )


def _is_knowable(simulated: Simulated) -> bool:
    """Whether all faulty services are told of by what arrived: a record, a field, a word."""
    return all(
        any(
            link.service == service
            or service in link.message
            or service in link.exception_message
            or service in link.attributes.values()
            for link in simulated.links
        )
        for service in simulated.root_services
    )
