import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from app.signatures.command import signature

USERS = ("alice", "bob", "carol", "dave", "eve", "frank", "grace", "heidi")


def run(*arguments: str, text: str | bytes = "") -> list[dict[str, Any]]:
    result = CliRunner().invoke(signature, arguments, input=text, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def lines(*messages: str) -> str:
    return "".join(json.dumps({"message": message}) + "\n" for message in messages)


def test_every_line_is_answered_in_order() -> None:
    answers = run("--jsonl", text=lines("order 1 failed", "stock gone", "order 2 failed"))

    assert [answer["title"] for answer in answers] == [
        "order <num> failed",
        "stock gone",
        "order <num> failed",
    ]
    assert set(answers[0]) == {"signature", "version", "family", "type", "title", "culprit"}
    assert answers[0]["signature"] == answers[2]["signature"]


def test_families_are_settled_before_the_first_answer() -> None:
    answers = run("--jsonl", "-", text=lines(*(f"Failed login of user {name}" for name in USERS)))

    assert len({answer["family"] for answer in answers}) == 1
    assert len({answer["signature"] for answer in answers}) == len(USERS)


def test_a_stream_is_answered_with_families_as_they_stand() -> None:
    messages = [f"Failed login of user {name}" for name in USERS]

    answers = run("--jsonl", "--stream", text=lines(*messages, messages[0]))

    assert len(answers) == len(USERS) + 1
    assert answers[-1]["family"] == answers[-2]["family"]


def test_exceptions_are_read() -> None:
    stack = 'Traceback (most recent call last):\n  File "/srv/a.py", line 3, in f\nKeyError: 1'
    record = {
        "message": "boom",
        "level": 40,
        "exception": {"type": "KeyError", "stacktrace": stack},
    }

    (answer,) = run("--jsonl", text=json.dumps(record))

    assert (answer["type"], answer["culprit"]) == ("KeyError", "f (a.py)")


def test_an_explanation_is_given_when_asked_for() -> None:
    (answer,) = run("--explain", text="upstream returned 404 for order ORD-7")

    assert answer["explanation"]["variant"] == "message"
    assert answer["explanation"]["masked"] == {"id": 1}


def test_lines_that_are_no_json_are_signed_as_text() -> None:
    answers = run("--jsonl", text=b'order 7 failed\n{"message": 5}\n\xff\xfe\n[]\n\n')

    assert answers[0]["title"] == "order <num> failed"
    assert len(answers) == 4


def test_each_file_is_one_error(tmp_path: Path) -> None:
    files = [tmp_path / "one.log", tmp_path / "two.log"]
    for number, file in enumerate(files):
        file.write_text(f"worker {number}\nstopped\n")

    answers = run(*map(str, files))

    assert [answer["title"] for answer in answers] == ["worker <num> stopped"] * 2
