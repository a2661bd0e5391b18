"""Which words are names of exceptions."""

import pytest

from app.signatures.reading.names import headline, headline_within, is_exception_name, language_of


@pytest.mark.parametrize(
    "name",
    [
        "ValueError",
        "java.lang.IllegalStateException",
        "requests.exceptions.ConnectTimeout",
        "sqlalchemy.exc.NoResultFound",
        "psycopg.errors.UniqueViolation",
        "StopIteration",
        "Errno::ECONNREFUSED",
        "com.acme.Outer$InnerException",
        "DeprecationWarning",
        "Error",
    ],
)
def test_names_of_exceptions(name: str) -> None:
    assert is_exception_name(name)


@pytest.mark.parametrize(
    "word", ["Warning", "Panic", "ERROR", "error", "Errors", "ErrorHandler", "Note", "com.acme.Pay"]
)
def test_words_that_are_none(word: str) -> None:
    assert not is_exception_name(word)


def test_a_headline_stands_at_the_start() -> None:
    assert headline("ValueError: bad: thing") == ("ValueError", "bad: thing")
    assert headline("got ValueError: bad") is None


def test_a_headline_within_a_line_tells_where_it_starts() -> None:
    assert headline_within("2024 ERROR a.b - a.CError: x") == (17, "a.CError", "x")


def test_node_and_dotnet_put_a_code_between_name_and_message() -> None:
    assert headline("Error [ERR_X]: bad") == ("Error", "bad")
    assert headline("System.Net.Sockets.SocketException (111): no") == (
        "System.Net.Sockets.SocketException",
        "no",
    )


def test_a_name_gives_its_language_away() -> None:
    names = [
        "java.io.IOException",
        "System.Exception",
        "KeyError",
        "a.b.exc.C",
        "A::BError",
        "XError",
    ]

    assert [language_of(name) for name in names] == [
        "jvm",
        "dotnet",
        "python",
        "python",
        "ruby",
        "",
    ]
