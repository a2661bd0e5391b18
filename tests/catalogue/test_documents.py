from pathlib import Path

import pytest

from app.catalogue.documents import Compiled, compile_document, read_documents

ENTRY = """\
# Guide

Words about the guide.

## Too many cooks {#too-many-cooks}
Source: `kitchen.txt`, "Cooks"
Severity: high
Tags: kitchen, people

### Symptoms
The broth is spoiled.

### Causes
Cooks.

### Fix
Send some home:

```python
cooks.pop()  # not a rule
```

### Affected files
- `kitchen/broth.py`

### Rules
```yaml rule
message: broth spoiled
```

### Samples
```text sample
Error: broth spoiled
```
```text near-miss
Error: broth fine
```
"""


def compiled(text: str) -> Compiled:
    return compile_document("guide.md", text)


def test_an_entry_keeps_its_parts() -> None:
    (issue,) = compiled(ENTRY).issues

    assert (issue.known_issue_id, issue.title) == ("too-many-cooks", "Too many cooks")
    assert (issue.severity, issue.tags) == ("high", ("kitchen", "people"))
    assert issue.symptoms == "The broth is spoiled."
    assert issue.fix.startswith("Send some home:")
    assert "cooks.pop()" in issue.fix
    assert issue.affected_files == ("kitchen/broth.py",)
    assert (issue.samples, issue.near_misses) == (
        ("Error: broth spoiled",),
        ("Error: broth fine",),
    )


def test_provenance_names_file_heading_and_lines() -> None:
    (issue,) = compiled(ENTRY).issues
    place = issue.provenance

    lines = ENTRY.splitlines()
    assert place.document == "guide.md"
    assert place.heading_path == ("Guide", "Too many cooks")
    assert lines[place.first_line - 1].startswith("## Too many cooks")
    assert place.last_line == len(lines)
    assert place.origin == '`kitchen.txt`, "Cooks"'


def test_moving_an_entry_keeps_its_content_hash() -> None:
    (here,) = compiled(ENTRY).issues
    (there,) = compiled("one more line\n\n" + ENTRY).issues

    assert here.provenance.content_hash == there.provenance.content_hash
    assert there.provenance.first_line == here.provenance.first_line + 2


def test_a_heading_without_an_id_is_no_entry() -> None:
    assert compiled("# Guide\n## Contents\nnothing\n") == Compiled()


def test_a_heading_inside_a_fence_is_no_heading() -> None:
    text = ENTRY.replace("cooks.pop()", "## Not a heading {#not-a-heading}")

    assert [issue.known_issue_id for issue in compiled(text).issues] == ["too-many-cooks"]


@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        (("### Fix", "### Mending"), 5, "the section '### Fix' is missing"),
        (("message: broth", "massage: broth"), 27, "unknown field `massage`"),
        (("message: broth spoiled", "message_re2: '('"), 27, "RE2 does not compile"),
        (("message: broth spoiled", "{}"), 27, "the clause is empty"),
        (("Severity: high", "Severity: awful"), 5, "'awful' is none of low, medium"),
    ],
)
def test_a_broken_entry_is_named_with_its_line(
    change: tuple[str, str], line: int, reason: str
) -> None:
    result = compiled(ENTRY.replace(*change))

    assert result.issues == ()
    (problem,) = result.problems
    assert problem.line == line
    assert reason in problem.reason


def test_a_broken_entry_never_silences_its_neighbours() -> None:
    broken = ENTRY.replace("too-many-cooks", "broken").replace("message:", "massage:")

    result = compiled(broken + "\n" + ENTRY)

    assert [issue.known_issue_id for issue in result.issues] == ["too-many-cooks"]
    assert len(result.problems) == 1


def test_two_entries_with_one_id_keep_the_first_and_name_both(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(ENTRY)
    (tmp_path / "b.md").write_text(ENTRY)

    result = read_documents([tmp_path])

    assert [issue.provenance.document for issue in result.issues] == ["a.md"]
    assert result.problems[0].document == "b.md"
    assert "is taken by a.md:5" in result.problems[0].reason


def test_a_file_that_is_no_text_is_named_and_the_rest_read(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.md").write_text(ENTRY)

    result = read_documents([tmp_path])

    assert len(result.issues) == 1
    assert result.problems[0].document == "a.md"


@pytest.mark.parametrize(
    "rule",
    ["&a\nany: [*a]", "not: " + "{not: " * 400 + "{text: x}" + "}" * 400, 'text: "ab\\0cd"'],
)
def test_a_hostile_rule_breaks_its_own_entry_only(rule: str) -> None:
    broken = ENTRY.replace("too-many-cooks", "broken").replace("message: broth spoiled", rule)

    result = compiled(broken + "\n" + ENTRY)

    assert [issue.known_issue_id for issue in result.issues] == ["too-many-cooks"]
    assert "the rule" in result.problems[0].reason


@pytest.mark.parametrize("odd", ["\x0c", "\x0b", "\x85", "\u2028"])
def test_lines_are_counted_as_markdown_counts_them(odd: str) -> None:
    (issue,) = compiled(f"intro{odd}more\n\n" + ENTRY).issues

    assert issue.provenance.first_line == 7
    assert issue.symptoms == "The broth is spoiled."


def test_carriage_returns_change_nothing() -> None:
    (plain,) = compiled(ENTRY).issues
    (windows,) = compiled(ENTRY.replace("\n", "\r\n")).issues

    assert windows == plain


def test_a_line_across_the_page_is_no_front_matter() -> None:
    result = compiled("---\n\n" + ENTRY + "\n---\n")

    assert len(result.issues) == 1


def test_front_matter_is_no_heading() -> None:
    result = compiled("---\ntitle: Guide\nauthor: us\n---\n\n" + ENTRY)

    assert result.issues[0].provenance.heading_path == ("Guide", "Too many cooks")
