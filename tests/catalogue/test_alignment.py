from app.catalogue.alignment import Lexicon
from app.catalogue.documents import compile_document
from app.catalogue.matcher import Matcher, subject_of
from app.catalogue.model import Tier

KITCHEN = """\
# Kitchen

## The samovar boils over {#samovar-overflow}
### Symptoms
The samovar overflows and the pantry floods; the thermostat reports steam.
### Causes
The thermostat of the samovar is stuck.
### Fix
Descale the thermostat.
### Rules
```yaml rule
text: E-SAMOVAR-17
```

## The bread does not rise {#flat-bread}
### Symptoms
Dough stays flat, yeast foams nowhere, the crumb is dense.
### Causes
The yeast was dead, the flour cold.
### Fix
Buy fresh yeast.
### Rules
```yaml rule
text: E-YEAST-3
```
"""
POST_MORTEM = """\
# Post-mortem

## Flooded pantry
**Problem**: the samovar boils over, steam from the thermostat, the pantry floods.
**Root Cause**: a stuck thermostat in the samovar, overflow unnoticed.
**Fix**: descale it.
"""
ELSEWHERE = """\
# Post-mortem

## The bicycle has a puncture
**Problem**: the tyre loses pressure on gravel.
**Root Cause**: thorns in the tread.
**Fix**: patch the tube.
"""

DEFAULT = compile_document("kitchen.md", KITCHEN).issues


def counterparts(*texts: str) -> list[str]:
    issues = [
        issue for n, text in enumerate(texts) for issue in compile_document(f"{n}.md", text).issues
    ]
    assert len(issues) == len(texts)
    return [found.known_issue_id for found in Lexicon(DEFAULT).counterparts(issues).values()]


def test_an_entry_about_the_same_failure_finds_its_counterpart() -> None:
    assert counterparts(POST_MORTEM) == ["samovar-overflow"]


def test_an_entry_about_something_else_finds_none() -> None:
    assert counterparts(ELSEWHERE) == []
    assert Lexicon([]).counterparts(compile_document("a.md", POST_MORTEM).issues) == {}


def test_a_default_entry_is_the_counterpart_of_one_entry_only() -> None:
    twice = compile_document("a.md", POST_MORTEM + POST_MORTEM.replace("# Post-mortem\n", "", 1))
    assert len(twice.issues) == 2

    assert len(Lexicon(DEFAULT).counterparts(twice.issues)) <= 1


def test_an_entry_without_rules_borrows_and_says_from_whom() -> None:
    matcher = Matcher(compile_document("pm.md", POST_MORTEM).issues, Lexicon(DEFAULT))

    (match,) = matcher.match(subject_of("kitchen panic E-SAMOVAR-17"))

    assert (match.known_issue_id, match.tier) == ("flooded-pantry", Tier.PROBABLE)
    assert match.borrowed_from == "samovar-overflow"
    assert matcher.match(subject_of("E-YEAST-3")) == []


def test_an_entry_with_rules_borrows_none() -> None:
    matcher = Matcher(DEFAULT, Lexicon(DEFAULT))

    (match,) = matcher.match(subject_of("E-SAMOVAR-17"))

    assert (match.tier, match.borrowed_from) == (Tier.EXACT, "")
