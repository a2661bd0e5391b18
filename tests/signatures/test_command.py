import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.signatures.command import signature

USERS = ("alice", "bob", "carol", "dave", "eve", "frank", "grace", "heidi")


def run(*arguments: str, text: str | bytes = "") -> list[dict[str, Any]]:
    result = CliRunner().invoke(signature, arguments, input=text, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


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


def test_half_a_surrogate_pair_loses_nothing_else() -> None:
    text = r'{"message": "order 7 \ud83d\ude00 \\user \ud83d failed"}'

    (answer,) = run("--jsonl", text=text)

    assert answer["title"] == "order <num> \U0001f600 \\user \ufffd failed"


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    marked = b"\xef\xbb\xbf" + lines("order 7 failed").encode()

    assert run("--jsonl", text=marked)[0]["title"] == "order <num> failed"
    assert run(text=b"\xef\xbb\xbforder 7 failed")[0]["title"] == "order <num> failed"


@pytest.mark.parametrize("line", ['{"message": 5}', '{"msg": "x"}', '{"message": null}', "[]"])
def test_a_line_of_another_shape_is_signed_as_text_and_told(line: str) -> None:
    result = CliRunner().invoke(signature, ["--jsonl"], input=f"{lines('a')}{line}\n")

    assert len(result.stdout.splitlines()) == 2
    assert "as text: 1;" in result.stderr
    assert "standard input, line 2" in result.stderr


def test_an_empty_input_is_refused() -> None:
    result = CliRunner().invoke(signature, [], input=" \n")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "standard input is empty" in result.stderr


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "big.jsonl"
    file.write_text(lines(*(f"order {number} failed" for number in range(20_000))))

    with subprocess.Popen(
        [sys.executable, "-m", "app.cli", "signature", "--jsonl", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()

    assert said == b""
