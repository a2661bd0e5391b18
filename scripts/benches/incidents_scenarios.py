"""Every scenario that can fail on this machine, and what ProdSentinel says of it."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import httpx
import msgspec

from scripts.benches.frame import Row
from scripts.benches.ground import Ground, start_api
from scripts.benches.loads import ROOT

LONGEST_SECONDS: Final = 420.0
STOP_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 20.0
OF_A_CHAIN: Final = "chain:"


class Outcome(msgspec.Struct, frozen=True):
    """How a scenario went, as `scenario all --json` prints it."""

    scenario: str
    outcome: str
    reason: str
    correlation_ids: tuple[str, ...]
    root_service: str
    root: str
    known_issue_id: str


class Verdict(msgspec.Struct, frozen=True):
    """What is shown of a scenario and not what was expected, by aspect; empty where all fits."""

    scenario: str
    wrong: dict[str, str]


ASPECTS: Final = ("root service", "root signature", "known issue")


def measured(ground: Ground) -> Iterator[Row]:
    """All of them one after another, then the incident of each."""
    with (
        ground.database("scenarios") as url,
        ground.database("scenarios_own") as own,
        ground.stack() as stack,
    ):
        api = start_api(stack, url)
        address = f"http://127.0.0.1:{api.port}"
        began = time.monotonic()
        outcomes = _performed("--url", address, "--database-url", own)
        seconds = time.monotonic() - began
        with httpx.Client(base_url=address, timeout=30) as http:
            verdicts = [_judged(http, one) for one in outcomes if one.outcome == "ran"]
    yield from _outcome_rows(outcomes)
    for aspect in ASPECTS:
        right = sum(aspect not in one.wrong for one in verdicts)
        share = right / len(verdicts) if verdicts else None
        yield Row(f"scenarios: share with the right {aspect}", share, "x", "1", share == 1)
    for verdict in verdicts:
        for aspect, shown in verdict.wrong.items():
            yield Row(f"{verdict.scenario}: wrong {aspect}: {shown}", 1, "scenario", "", None)
    yield Row("scenarios: all of them took", seconds, "s", "", None)


def _performed(*arguments: str) -> list[Outcome]:
    command = [sys.executable, "-m", "fake_services", "scenario", "all", "--json", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            told, _ = process.communicate(timeout=LONGEST_SECONDS)
        finally:
            _stop(process)
    return msgspec.json.decode(told, type=list[Outcome])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asked first: it stops what its scenario started."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()


def _outcome_rows(outcomes: Sequence[Outcome]) -> Iterator[Row]:
    counts = {kind: [o for o in outcomes if o.outcome == kind] for kind in ("ran", "failed")}
    yield Row("scenarios: ran", len(counts["ran"]), "scenarios", "", None)
    failed = len(counts["failed"])
    yield Row("scenarios: could not be made to fail", failed, "scenarios", "0", failed == 0)
    for one in counts["failed"]:
        yield Row(f"{one.scenario}: {one.reason}", 1, "scenario", "", None)
    skipped: dict[str, list[str]] = {}
    for one in outcomes:
        if one.outcome == "skipped":
            skipped.setdefault(one.reason, []).append(one.scenario)
    for reason, names in skipped.items():
        yield Row(f"skipped ({', '.join(names)}): {reason}", len(names), "scenarios", "", None)


def _judged(http: httpx.Client, one: Outcome) -> Verdict:
    wrong: dict[str, str] = {}
    for name in one.correlation_ids:
        chain = _settled(http, name)
        if not chain.get("incident_id"):
            return Verdict(one.scenario, dict.fromkeys(ASPECTS, "no incident"))
        incident = http.get(f"/api/incidents/{chain['incident_id']}").raise_for_status().json()
        wrong |= _differences(one, incident)
    return Verdict(one.scenario, wrong)


def _settled(http: httpx.Client, correlation_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = http.get(f"/api/chains/{correlation_id}")
        chain: dict[str, Any] = answer.json() if answer.is_success else {}
        if chain.get("incident_id") or time.monotonic() >= deadline:
            return chain
        time.sleep(0.2)


def _differences(one: Outcome, incident: dict[str, Any]) -> dict[str, str]:
    """By aspect what the incident shows instead."""
    known = (incident["match"] or {}).get("known_issue_id")
    if one.root:
        signed = one.root in incident["title"]
    else:
        signed = incident["root_signature_id"].startswith(OF_A_CHAIN)
    held = {
        "root service": one.root_service in incident["root_services"],
        "root signature": signed,
        "known issue": known == one.known_issue_id,
    }
    shown = {
        "root service": f"{', '.join(incident['root_services'])}, not {one.root_service}",
        "root signature": f"{incident['title']}, not {one.root or 'one of a chain'}",
        "known issue": f"{known}, not {one.known_issue_id}",
    }
    return {aspect: shown[aspect] for aspect in ASPECTS if not held[aspect]}
