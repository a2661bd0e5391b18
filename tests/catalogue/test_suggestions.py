from app.catalogue.documents import compile_document
from app.catalogue.matcher import Matcher, subject_of
from app.catalogue.model import Match, Tier
from app.catalogue.suggestions import HIGHEST_SCORE, MOST, Suggestions
from tests.catalogue.test_alignment import KITCHEN

ISSUES = compile_document("kitchen.md", KITCHEN).issues


def suggested(text: str) -> list[Match]:
    return Suggestions(ISSUES).for_subject(subject_of(text))


def test_rare_words_in_common_suggest_an_entry_and_are_its_evidence() -> None:
    (match,) = suggested("steam in the pantry: is the samovar on?")

    assert (match.known_issue_id, match.tier) == ("samovar-overflow", Tier.SUGGESTED)
    assert {"samovar", "steam"} <= set(match.evidence[0].quote.split(", "))
    assert 0 < match.score <= HIGHEST_SCORE


def test_the_words_in_common_are_told_as_the_error_says_them() -> None:
    (match,) = suggested("Steam in the pantry: are both Samovars on?")

    assert set(match.evidence[0].quote.split(", ")) >= {"Steam", "Samovars"}


def test_one_word_or_common_ones_suggest_nothing() -> None:
    assert suggested("samovar") == []
    assert suggested("the error was not found in the file") == []
    assert suggested("") == []


def test_at_most_three_are_suggested_the_likest_first() -> None:
    many = "\n".join(
        KITCHEN.split("\n", 2)[2]
        .replace("{#samovar-overflow}", f"{{#samovar-{n}}}")
        .replace("{#flat-bread}", f"{{#bread-{n}}}")
        for n in range(4)
    )
    issues = compile_document("many.md", many).issues
    assert len(issues) == 8

    found = Suggestions(issues).for_subject(subject_of("steam: samovar thermostat in the pantry"))

    assert len(found) == MOST
    assert [match.score for match in found] == sorted((m.score for m in found), reverse=True)


def test_suggestions_are_given_only_when_asked_for_and_nothing_is_known() -> None:
    matcher = Matcher(ISSUES)
    text = "steam of the samovar in the pantry"

    assert matcher.match(subject_of(text)) == []
    assert [m.tier for m in matcher.match(subject_of(text), suggest=True)] == [Tier.SUGGESTED]
    known = matcher.match(subject_of(f"{text} E-YEAST-3"), suggest=True)
    assert [(m.known_issue_id, m.tier) for m in known] == [("flat-bread", Tier.EXACT)]


def test_an_empty_catalogue_suggests_nothing() -> None:
    assert Suggestions([]).for_subject(subject_of("samovar steam")) == []
