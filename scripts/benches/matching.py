"""Matching measured: how often it is right on the labelled set, how quick with 10,000 entries.

A text counts as answered when a known issue is named at `exact` or `probable`, and as right when
it is the one whose fix applies. Precision is right of answered, recall is right of those texts
that have a known issue. The labelled set stands in `tests/catalogue/labelled`; what it is made
of, and that no sample of the catalogue is in it, is held by `tests/catalogue/test_labelled_set.py`.
Times are of the wall clock.
"""

import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import msgspec

from app.catalogue.alignment import Lexicon
from app.catalogue.command import Line, subject_of_line
from app.catalogue.documents import DEFAULT_DOCUMENTS, read_documents
from app.catalogue.matcher import Matcher
from app.catalogue.model import KnownIssue, Match, Tier
from app.catalogue.rules import Subject
from scripts.benches.entries import synthetic_entries
from scripts.benches.frame import Options, Row

LABELLED = Path(__file__).resolve().parents[2] / "tests" / "catalogue" / "labelled"
EXACT_PRECISION, PRECISION, RECALL = 0.99, 0.97, 0.92
RAW_PRECISION, RAW_RECALL = 0.95, 0.75
CALIBRATION = 0.05
P99_GOAL_MS, REMATCH_GOAL_SECONDS = 5.0, 60.0
ENTRIES, SIGNATURES, QUICK_SIGNATURES = 10_000, 100_000, 2_000

_ORIGIN = re.compile(r'`([^`]+)`, "(.+)"').fullmatch
_DIGITS = re.compile(r"\d")


class _Text(Line, frozen=True, kw_only=True):
    """One line of the labelled set."""

    id: str
    expected: str | None = None


class _Answer(msgspec.Struct, frozen=True):
    """What a catalogue said to one text: the best match, and the default entry that it means."""

    text: _Text
    best: Match | None
    named: str | None

    @property
    def right(self) -> bool:
        return self.best is not None and self.named == self.text.expected


def rows(options: Options) -> Iterator[Row]:
    """The default catalogue, raw documents alone, then speed."""
    texts = _labelled()
    default = read_documents([DEFAULT_DOCUMENTS]).issues
    own = {issue.known_issue_id: issue.known_issue_id for issue in default}
    answers = list(_answers(Matcher(default), texts, own))
    yield from _accuracy("default catalogue", answers, PRECISION, RECALL)
    yield from _sureness("default catalogue", answers)
    if options.documents is None:
        for name in ("precision", "recall"):
            yield Row(f"raw documents, {name} (needs --documents)", None, "", "", None)
    else:
        yield from _raw(options.documents, default, texts)
    yield from _speed(default, texts, QUICK_SIGNATURES if options.quick else SIGNATURES)


def _labelled() -> list[_Text]:
    return [
        msgspec.json.decode(line, type=_Text)
        for path in sorted(LABELLED.glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]


def _answers(
    matcher: Matcher, texts: Iterable[_Text], meaning: dict[str, str]
) -> Iterator[_Answer]:
    for text in texts:
        best = next(iter(matcher.match(subject_of_line(text))), None)
        yield _Answer(text, best, meaning.get(best.known_issue_id) if best else None)


def _accuracy(name: str, answers: list[_Answer], precision: float, recall: float) -> Iterator[Row]:
    _tell_wrong(name, answers)
    answered = [answer for answer in answers if answer.best]
    exact = [answer for answer in answered if answer.best and answer.best.tier is Tier.EXACT]
    due = [answer for answer in answers if answer.text.expected]
    if exact:
        yield _share(f"{name}, precision of exact", exact, EXACT_PRECISION)
    yield _share(f"{name}, precision", answered, precision)
    yield _share(f"{name}, recall", due, recall)


def _share(name: str, among: list[_Answer], goal: float) -> Row:
    share = statistics.fmean(answer.right for answer in among) if among else 0.0
    return Row(name, share, f"of {len(among)}", f">= {goal}", share >= goal)


def _sureness(name: str, answers: list[_Answer]) -> Iterator[Row]:
    """Texts by tier, and how far the score is from the share of answers that are right."""
    tiers = Counter(answer.best.tier if answer.best else None for answer in answers)
    for tier in (Tier.EXACT, Tier.PROBABLE, None):
        yield Row(f"{name}, {tier or 'silent'}", tiers[tier], "texts", "", None)
    answered = [(answer.best.score, answer.right) for answer in answers if answer.best]
    apart = abs(statistics.fmean(score - right for score, right in answered)) if answered else 1.0
    goal = f"<= {CALIBRATION}"
    yield Row(f"{name}, mean score less share right", apart, "", goal, apart <= CALIBRATION)


def _tell_wrong(name: str, answers: list[_Answer]) -> None:
    for answer in answers:
        if answer.best and not answer.right:
            said = f"{answer.best.known_issue_id}, expected {answer.text.expected}"
            print(f"{name}: wrong on {answer.text.id}: {said}", file=sys.stderr)


def _raw(documents: Path, default: Iterable[KnownIssue], texts: list[_Text]) -> Iterator[Row]:
    """Foreign documents alone, as `match --catalogue` takes them: none of the default entries
    answers, but entries without rules borrow theirs. Default entries say which is which.
    """
    found = read_documents([documents]).issues
    origins = {
        origin.groups(): issue.known_issue_id
        for issue in default
        if (origin := _ORIGIN(issue.provenance.origin))
    }
    places = {
        issue.known_issue_id: (issue.provenance.document, issue.provenance.heading_path[-1])
        for issue in found
    }
    meaning = {name: origins[place] for name, place in places.items() if place in origins}
    for name in places.keys() - meaning.keys():
        print(f"raw documents: no default entry names {places[name]}", file=sys.stderr)
    answers = list(_answers(Matcher(found, Lexicon(default)), texts, meaning))
    yield Row("raw documents, entries named by default ones", len(meaning), "", "", None)
    yield from _accuracy("raw documents", answers, RAW_PRECISION, RAW_RECALL)
    yield from _sureness("raw documents", answers)
    # What the documents say by themselves, when they borrow no rule: their quoted errors.
    quoted = list(_answers(Matcher(found), texts, meaning))
    for row in _accuracy("raw documents, nothing borrowed", quoted, RAW_PRECISION, RAW_RECALL):
        yield msgspec.structs.replace(row, goal="", holds=None)


def _speed(default: Iterable[KnownIssue], texts: list[_Text], signatures: int) -> Iterator[Row]:
    start = time.perf_counter()
    entries = synthetic_entries(ENTRIES)
    gates = (time.perf_counter() - start) / len(entries)
    yield Row("one entry made, with its gates", gates * 1e3, "ms", "", None)
    start = time.perf_counter()
    whole = Matcher([*default, *entries])
    compiled = time.perf_counter() - start
    yield Row(f"catalogue of {len(whole.issues):,} compiled", compiled, "s", "", None)
    subjects = [subject_of_line(text) for text in texts]
    yield from _one_match(whole, subjects)
    # The entry that most texts are about: the dearest one to add.
    added, _ = Counter(filter(None, (text.expected for text in texts))).most_common(1)[0]
    yield from _again(whole, Matcher([whole.issues[added]]), texts, signatures)


def _one_match(matcher: Matcher, subjects: list[Subject]) -> Iterator[Row]:
    first = [_milliseconds(matcher, subject)[0] for subject in subjects]  # compiles what opens
    warm = [_milliseconds(matcher, subject) for _ in range(5) for subject in subjects]
    walls, cpus = (sorted(times) for times in zip(*warm, strict=True))
    p99 = int(len(warm) * 0.99)
    yield Row("one match, p50", statistics.median(walls), "ms", "", None)
    holds = walls[p99] < P99_GOAL_MS
    yield Row("one match, p99", walls[p99], "ms", f"< {P99_GOAL_MS:g}", holds)
    yield Row("one match, p99 of CPU time: less on a busy machine", cpus[p99], "ms", "", None)
    yield Row("one match, slowest", walls[-1], "ms", "", None)
    yield Row("one match, slowest after a start", max(first), "ms", "", None)


def _milliseconds(matcher: Matcher, subject: Subject) -> tuple[float, float]:
    """Of the wall clock, and of the CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    matcher.match(subject)
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3


def _again(whole: Matcher, added: Matcher, texts: list[_Text], count: int) -> Iterator[Row]:
    """All signatures after one entry was added, as the service does it; then against all entries.

    The service asks the added entry alone, and the whole catalogue only where that one matches.
    """
    seconds, hits = _rematch([added], whole, _signatures(texts, count))
    goal = f"< {REMATCH_GOAL_SECONDS:g}"
    name = f"{count:,} signatures, one entry added"
    yield Row(name, seconds, "s", goal, seconds < REMATCH_GOAL_SECONDS)
    yield Row(f"{name}: concerned by it", hits, "", "", None)
    seconds, _ = _rematch([], whole, _signatures(texts, count))
    yield Row(
        f"{count:,} signatures, all entries", seconds, "s", goal, seconds < REMATCH_GOAL_SECONDS
    )


def _rematch(changed: list[Matcher], whole: Matcher, lines: Iterable[Line]) -> tuple[float, int]:
    """Seconds of reading and matching, without those of making the texts; full matches."""
    seconds, full = 0.0, 0
    for line in lines:
        start = time.perf_counter()
        subject = subject_of_line(line)
        if all(matcher.match(subject) for matcher in changed):
            whole.match(subject)
            full += 1
        seconds += time.perf_counter() - start
    return seconds, full


def _signatures(texts: list[_Text], count: int) -> Iterator[Line]:
    """Labelled texts over and over, every digit another one."""
    source = Random(17)
    for n in range(count):
        text = texts[n % len(texts)]
        yield msgspec.structs.replace(
            text, text=_DIGITS.sub(lambda _: source.choice("0123456789"), text.text or "")
        )
