import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.catalogue import inputs
from app.catalogue.documents import DEFAULT_DOCUMENTS, read_documents
from app.cli import main
from tests.catalogue.test_alignment import KITCHEN, POST_MORTEM

UUID_ERROR = "TypeError: Object of type UUID is not JSON serializable"
UUID_TRACE = f"""\
Traceback (most recent call last):
  File "/srv/app/api.py", line 3, in save
    json.dumps(order)
{UUID_ERROR}
"""
ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str | Path, text: str | bytes = "") -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], input=text, catch_exceptions=False)


def answers(*lines: Any, arguments: tuple[str | Path, ...] = ()) -> list[dict[str, Any]]:
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    result = run("match", "--jsonl", *arguments, text=text)
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def kitchen(tmp_path: Path) -> Path:
    path = tmp_path / "kitchen.md"
    path.write_text(KITCHEN, encoding="utf-8")
    return path


class TestMatchForPeople:
    def test_a_traceback_gives_issue_reason_place_caution_and_fix(self) -> None:
        result = run("match", text=UUID_TRACE)

        assert result.exit_code == 0
        for said in (
            "Known issue: A UUID where JSON is written",
            "uuid-not-json-serializable, exact, score 0.98",
            "in the error: Object of type UUID is not JSON serializable",
            "Written in\n  python-services.md, ",
            "Caution\n  ",
            'payload = signal.model_dump(mode="json")',
        ):
            assert said in result.stdout

    def test_plain_output_has_no_colours_and_nothing_of_the_error_s_own(self) -> None:
        result = run("match", text=f"\x1b[31m{UUID_ERROR}\x1b[0m \x07")

        assert result.exit_code == 0
        assert "\x1b" not in result.stdout
        assert "\x07" not in result.stdout

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
    def test_encodings_and_line_ends_of_other_systems_are_read(
        self, encoding: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "log.txt"
        mark = "\ufeff" if encoding == "utf-16-be" else ""
        path.write_bytes((mark + UUID_TRACE.replace("\n", "\r\n")).encode(encoding))

        assert run("match", path).exit_code == 0

    def test_nothing_known_is_said_and_is_exit_code_3(self) -> None:
        result = run("match", "-", text="everything is fine")

        assert result.exit_code == 3
        assert result.stdout == "No known issue explains this error; 33 were looked at.\n"

    def test_suggestions_are_called_so_and_match_nothing(self, kitchen: Path) -> None:
        arguments = ("match", "--catalogue", kitchen, "--suggest")

        result = run(*arguments, text="steam in the pantry: is the samovar on?")

        assert result.exit_code == 3
        assert "No known issue explains this error" in result.stdout
        assert "Only suggestions" in result.stdout
        assert "samovar-overflow" in result.stdout

    def test_each_file_is_one_error(self, tmp_path: Path) -> None:
        (tmp_path / "a.log").write_text("fine")
        (tmp_path / "b.log").write_text(UUID_TRACE)

        result = run("match", tmp_path / "a.log", tmp_path / "b.log")

        assert result.exit_code == 0
        first, second = result.stdout.split(f"== {tmp_path / 'b.log'}\n")
        assert first.startswith(f"== {tmp_path / 'a.log'}\nNo known issue")
        assert second.startswith("Known issue: ")

    def test_a_large_file_is_read_at_both_ends(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(inputs, "MOST_TEXT", 4_000)
        path = tmp_path / "big.log"
        noise = "fine\n" * 9_000
        for text in (UUID_TRACE + noise, noise + UUID_TRACE):
            path.write_text(text)
            result = run("match", path)

            assert result.exit_code == 0
            assert f"{len(text) - 4_000:,} bytes from its middle are left out" in result.stderr

        path.write_text(noise + UUID_TRACE + noise)
        assert run("match", path).exit_code == 3


class TestMatchOfLines:
    def test_a_match_names_its_place_in_the_document(self) -> None:
        (answer,) = answers({"text": UUID_TRACE})

        assert list(answer) == ["known_issue", "tier", "score", "evidence", "source"]
        assert answer["known_issue"] == "uuid-not-json-serializable"
        assert (answer["tier"], answer["score"]) == ("exact", 0.98)
        (evidence,) = answer["evidence"]
        assert UUID_TRACE[evidence["start"] :].startswith(evidence["quote"])
        document, heading, line = answer["source"].values()
        written = (DEFAULT_DOCUMENTS / document).read_text(encoding="utf-8").splitlines()
        assert written[line - 1] == f"## {heading} {{#uuid-not-json-serializable}}"

    def test_no_match_is_null_all_over(self) -> None:
        assert answers({"text": "everything is fine"}) == [
            {"known_issue": None, "tier": None, "score": None, "evidence": [], "source": None}
        ]

    def test_every_line_is_answered_in_order_and_a_bad_one_costs_no_other(self) -> None:
        found = answers(
            {"text": UUID_ERROR}, "no json", "", "[1]", '{"text": 3}', {}, {"text": UUID_ERROR}
        )

        assert [answer["known_issue"] is not None for answer in found] == [
            True, *[False] * 5, True,
        ]  # fmt: skip
        assert all(set(answer) == {"known_issue", "error"} for answer in found[1:-1])

    def test_a_line_may_be_null_in_all_that_is_optional_and_hold_more(self) -> None:
        optional = ("exception_type", "message", "service", "level", "attributes")

        (answer,) = answers({"text": UUID_ERROR, **dict.fromkeys(optional), "id": 7})

        assert answer["known_issue"] == "uuid-not-json-serializable"

    def test_type_and_message_beside_the_text_are_part_of_the_error(self) -> None:
        beside = {"exception_type": "TypeError", "message": UUID_ERROR.partition(": ")[2]}

        found = answers(
            {"text": "order could not be saved", **beside}, beside, {"text": UUID_TRACE, **beside}
        )

        assert {answer["known_issue"] for answer in found} == {"uuid-not-json-serializable"}

    def test_causes_in_the_text_are_kept_beside_the_reported_exception(self) -> None:
        text = f"{UUID_TRACE}\nDuring handling of the above exception, another exception occurred:"
        reported = {"exception_type": "RuntimeError", "message": "order o-17 is lost"}

        (answer,) = answers({"text": text, **reported})

        assert answer["known_issue"] == "uuid-not-json-serializable"

    def test_rules_on_service_level_and_attributes_hold(self, tmp_path: Path) -> None:
        rule = "service: kitchen\nlevel: error\nattribute: {order: '17'}"
        path = tmp_path / "k.md"
        path.write_text(KITCHEN.replace("text: E-SAMOVAR-17", rule), encoding="utf-8")
        line = {"text": "x", "service": "Kitchen", "level": 40, "attributes": {"order": 17}}

        found = answers(line, {**line, "level": "info"}, arguments=("--catalogue", path))

        assert [answer["known_issue"] for answer in found] == ["samovar-overflow", None]

    @pytest.mark.parametrize(("text", "code"), [(UUID_ERROR, 0), ("fine", 3)])
    def test_the_exit_code_says_whether_anything_matched(self, text: str, code: int) -> None:
        line = json.dumps({"text": text})

        assert run("match", "--jsonl", text=f'{{"text": "fine"}}\n{line}\n').exit_code == code

    def test_no_line_at_all_matches_nothing(self) -> None:
        result = run("match", "--jsonl")

        assert (result.exit_code, result.stdout) == (3, "")

    def test_a_line_that_is_too_long_is_refused_and_the_next_one_read(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(inputs, "MOST_LINE", 100)
        monkeypatch.setattr("app.catalogue.command.MOST_LINE", 100)

        found = answers({"text": "x" * 450}, {"text": UUID_ERROR})

        assert "longer than 100 bytes" in found[0]["error"]
        assert found[1]["known_issue"] == "uuid-not-json-serializable"
        assert len(found) == 2


class TestCatalogueOfOnesOwn:
    def test_only_the_given_documents_are_matched(self, kitchen: Path) -> None:
        found = answers(
            {"text": UUID_ERROR}, {"text": "E-YEAST-3"}, arguments=("--catalogue", kitchen)
        )

        assert [answer["known_issue"] for answer in found] == [None, "flat-bread"]
        assert found[1]["source"]["document"] == "kitchen.md"
        assert found[1]["source"]["heading"] == "The bread does not rise"

    def test_a_document_without_rules_borrows_those_of_the_default_catalogue(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "post-mortem.md"
        path.write_text(
            "# Ours\n\n## 🔥 Issue: UUIDs in JSON\n**Symptoms**: `TypeError: Object of type "
            "UUID is not JSON serializable` when a model is sent, json.dumps of a UUID in the "
            "payload.\n**Root Cause**: Pydantic `model_dump()` keeps UUID objects; JSON "
            "columns and httpx cannot serialize them.\n**Solution**: `model_dump(mode='json')`.\n",
            encoding="utf-8",
        )

        (answer,) = answers({"text": UUID_ERROR}, arguments=("--catalogue", path))

        assert answer["tier"] == "probable"
        assert answer["source"] == {
            "document": "post-mortem.md", "heading": "🔥 Issue: UUIDs in JSON", "line": 3,
        }  # fmt: skip

    def test_several_catalogues_and_folders_are_one(self, kitchen: Path, tmp_path: Path) -> None:
        (tmp_path / "more").mkdir()
        (tmp_path / "more" / "pm.md").write_text(POST_MORTEM, encoding="utf-8")

        result = run(
            "match", "--catalogue", kitchen, "--catalogue", tmp_path / "more", text="E-YEAST-3"
        )

        assert "flat-bread" in result.stdout

    def test_a_broken_entry_is_named_and_the_rest_matched(self, kitchen: Path) -> None:
        kitchen.write_text(KITCHEN.replace("text: E-SAMOVAR-17", "text_re2: ("), encoding="utf-8")

        result = run("match", "--catalogue", kitchen, text="E-YEAST-3")

        assert result.exit_code == 0
        assert "kitchen.md:11: the rule cannot be used" in result.stderr

    def test_documents_without_a_known_issue_are_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "a.md").write_text("# Hello\n")

        result = run("match", "--catalogue", tmp_path, text="x")

        assert result.exit_code == 2
        assert f"no known issue stands in {tmp_path}" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("match", "missing.log"),
        ("match", "."),
        ("match", "--catalogue", "missing.md"),
        ("match", "--nonsense"),
        ("catalogue", "check"),
        ("catalogue", "check", "missing.md"),
        ("catalogue", "export", "missing.md"),
    ],
)
def test_what_cannot_be_read_is_named_with_exit_code_2(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    if "missing" in arguments[-1]:
        assert arguments[-1] in result.stderr


class TestCheck:
    def test_a_clean_catalogue_lists_its_entries_by_document(self, kitchen: Path) -> None:
        result = run("catalogue", "check", kitchen)

        assert result.exit_code == 0
        assert result.stdout == (
            f"{kitchen}: 2 known issues\n"
            "      3  samovar-overflow, found by its rules\n"
            "     15  flat-bread, found by its rules\n"
            "2 known issues, 0 problems\n"
        )

    def test_the_default_catalogue_is_clean(self) -> None:
        result = run("catalogue", "check", DEFAULT_DOCUMENTS)

        assert result.exit_code == 0, result.stdout
        assert "33 known issues, 0 problems" in result.stdout

    def test_samples_and_near_misses_are_held_against_the_rules(self, kitchen: Path) -> None:
        samples = (
            "\n### Samples\n```text sample\nE-YEAST-3\n```\n```text sample\ncrumb\n```\n"
            "```text sample\nE-SAMOVAR-17\n```\n```text near-miss\nE-YEAST-33\n```\n"
            "```text near-miss\nE-YEAS\n```\n"
        )
        kitchen.write_text(KITCHEN + samples, encoding="utf-8")

        result = run("catalogue", "check", kitchen)

        assert result.exit_code == 1
        assert [line for line in result.stdout.splitlines() if "flat-bread:" in line] == [
            f"{kitchen}:15: flat-bread: sample 2 of 3 matches nothing",
            f"{kitchen}:15: flat-bread: sample 3 of 3 matches 'samovar-overflow' first",
            f"{kitchen}:15: flat-bread: near miss 1 of 2 matches, by text: E-YEAST-3",
        ]

    def test_problems_have_file_line_and_reason_and_json_the_same(
        self, kitchen: Path, tmp_path: Path
    ) -> None:
        kitchen.write_text(KITCHEN.replace("text: E-SAMOVAR-17", "text_re2: ("), encoding="utf-8")
        (tmp_path / "image.md").write_bytes(b"\x89PNG\x00\x00")
        (tmp_path / "zwilling.md").write_text(KITCHEN, encoding="utf-8")

        told = run("catalogue", "check", tmp_path)
        result = run("catalogue", "check", "--json", tmp_path)

        assert (told.exit_code, result.exit_code) == (1, 1)
        found = json.loads(result.stdout)
        lines = [f"{p['document']}:{p['line']}: {p['reason']}" for p in found["problems"]]
        assert [line in told.stdout for line in lines] == [True] * 3
        assert [line.startswith(f"{tmp_path}/") for line in lines] == [True] * 3
        assert {e["known_issue"] for e in found["entries"]} == {"flat-bread", "samovar-overflow"}

    def test_an_entry_that_no_error_can_match_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "a.md").write_text(
            "# A\n\n## Gloom\n**Problem**: gloom.\n**Fix**: light.\n", encoding="utf-8"
        )

        result = run("catalogue", "check", tmp_path)

        assert result.exit_code == 0
        assert "gloom, found by nothing" in result.stdout


class TestExport:
    @pytest.mark.parametrize("options", [(), ("--json",)])
    def test_every_entry_is_a_line_with_all_its_fields(self, options: tuple[str, ...]) -> None:
        result = run("catalogue", "export", *options, DEFAULT_DOCUMENTS)

        entries = [json.loads(line) for line in result.stdout.splitlines()]
        compiled = read_documents([DEFAULT_DOCUMENTS]).issues
        assert result.exit_code == 0
        assert [e["known_issue_id"] for e in entries] == [i.known_issue_id for i in compiled]
        assert set(entries[0]) == set(compiled[0].__struct_fields__)

    def test_what_could_not_be_used_is_named_beside(self, kitchen: Path) -> None:
        kitchen.write_text(KITCHEN.replace("text: E-SAMOVAR-17", "text_re2: ("), encoding="utf-8")

        result = run("catalogue", "export", kitchen)

        assert result.exit_code == 1
        assert len(result.stdout.splitlines()) == 1
        assert "kitchen.md:11: " in result.stderr


def start(*arguments: str) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-m", "app", *arguments],
        stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT,
    )  # fmt: skip


def test_in_a_real_pipe_each_line_is_answered_before_the_next_is_sent() -> None:
    with start("match", "--jsonl") as process:
        assert process.stdin
        assert process.stdout
        for text in (UUID_ERROR, "fine", UUID_ERROR):
            process.stdin.write(json.dumps({"text": text}) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert (answer["known_issue"] is None) == (text == "fine")
        process.stdin.close()

        assert process.wait(20) == 0


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    with start("match", "--jsonl") as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(json.dumps({"text": UUID_ERROR}) + "\n")
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write((json.dumps({"text": UUID_ERROR}) + "\n") * 3)
        process.stdin.close()

        assert process.stderr.read() == ""


def test_neither_database_nor_settings_are_asked_for(tmp_path: Path) -> None:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "app", "match"],
        check=False, input=UUID_TRACE, capture_output=True, text=True, cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "DATABASE_URL": "nonsense", "PATH": ""},
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert "uuid-not-json-serializable" in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert time.monotonic() - started < 20
