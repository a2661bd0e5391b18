"""A draft of an entry explains the error that it was begun from, and passes its own check."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from app.catalogue.checking import violations
from app.catalogue.documents import compile_document
from app.catalogue.matcher import Matcher, subject_of
from app.catalogue.model import Clause
from app.cli import main
from app.normalise.record import ReportedException
from app.query.draft import LONGEST_SAMPLE, draft_entry
from app.query.views import SignatureView
from app.signatures import read_error, sign_text

NOW = datetime(2026, 11, 21, tzinfo=UTC)
LABELLED = Path(__file__).parent.parent / "catalogue" / "labelled"
REAL = [
    json.loads(line)["text"]
    for name in ("negatives", "near_misses", "positives")
    for line in (LABELLED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[::7]
]
_words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)


def drafted(message: str, exception: ReportedException | None = None) -> str:
    signature = sign_text(message, exception)
    view = SignatureView(
        signature_id=signature.signature_id, version=signature.version,
        exception_type=signature.type, title=signature.title, message=signature.message,
        culprit=signature.culprit, callee=signature.callee, caller=signature.caller,
        explanation={}, sample=message, first_seen=NOW, last_seen=NOW, records=1,
    )  # fmt: skip
    return draft_entry(view, [], subject_of(message, exception))


def explains(draft: str, message: str, exception: ReportedException | None = None) -> bool:
    """It also passes `catalogue check`."""
    compiled = compile_document("draft.md", draft)
    matcher = Matcher(compiled.issues)
    assert compiled.problems == ()
    assert list(violations(matcher)) == []
    return bool(matcher.match(subject_of(message, exception)))


@pytest.mark.parametrize("text", REAL)
def test_a_draft_of_a_real_error_explains_it_and_its_own_sample(text: str) -> None:
    last = read_error(text).errors[-1:]
    typed = [ReportedException(type=one.type, message=one.message, stacktrace="") for one in last]
    traced = ReportedException(type="", message="", stacktrace=text)

    assert explains(drafted(text), text)
    for exception in (traced, *typed):
        assert explains(drafted("charge failed", exception), "charge failed", exception)


def test_the_sample_is_all_that_the_matcher_sees_of_the_error() -> None:
    exception = ReportedException(type="LedgerClosed", message="ledger is closed", stacktrace="")

    draft = drafted("invoice not drawn", exception)

    (issue,) = compile_document("draft.md", draft).issues
    assert issue.samples == ("invoice not drawn\nLedgerClosed: ledger is closed",)
    assert issue.rules == Clause(text="LedgerClosed: ledger is closed")


@given(_words, _words, _words, _words)
def test_whatever_was_said_the_draft_matches_its_own_sample(
    message: str, kind: str, said: str, stack: str
) -> None:
    exception = ReportedException(type=kind, message=said, stacktrace=stack)
    whole = subject_of(message, exception)

    draft = drafted(message, exception)

    if whole.text.split():
        assert explains(draft, message, exception)
        assert compile_document("draft.md", draft).issues[0].samples


@pytest.mark.parametrize(
    "text",
    [
        "```\nnot a fence\n```",
        "a\n\n## heading {#other}\n\n~~~",
        "# x",
        "x\r\ny\rz",
        "\n\n- y",
        "…",
    ],
)
def test_an_error_that_looks_like_a_document_is_still_one_sample(text: str) -> None:
    draft = drafted(text)

    assert explains(draft, text)
    assert len(compile_document("draft.md", draft).issues) == 1


def test_of_a_very_long_error_the_draft_holds_both_ends() -> None:
    text = "ValueError: begins\n" + "x y z\n" * 100_000 + "ends"

    draft = drafted(text)

    assert explains(draft, text)
    assert len(draft) < 3 * LONGEST_SAMPLE


def test_a_saved_draft_passes_the_check_of_the_command(tmp_path: Path) -> None:
    for number, text in enumerate(REAL[::8]):
        exception = ReportedException(type="", message="", stacktrace=text)
        draft = drafted("something else was logged", exception)
        path = tmp_path / f"{number}.md"
        path.write_text(draft, encoding="utf-8", newline="\n")

        checked = CliRunner().invoke(main, ["catalogue", "check", str(path)])

        assert checked.exit_code == 0, checked.output


def test_a_draft_has_a_name_out_of_its_title() -> None:
    draft = drafted("zone QX-9 has no tariff")

    assert compile_document("a.md", draft).issues[0].known_issue_id == "zone-qx-has-no-tariff"
