"""Backtraces of Ruby 2.7, 3.3 and 3.4, and of Rails."""

from collections.abc import Callable

import pytest

from app.signatures.model import ErrorReport

Read = Callable[[str], ErrorReport]


@pytest.mark.parametrize("version", ["2.7", "3.3"])
def test_old_quotes_and_both_orders_are_read(read: Read, version: str) -> None:
    (error,) = read(f"ruby-{version}").errors

    assert (error.type, error.message) == ("ZeroDivisionError", "divided by 0")
    assert [f.function for f in error.frames][1:] == ["share", "/"]


def test_a_cause_below_leads_the_chain(read: Read) -> None:
    root, outer = read("ruby-3.4").errors

    assert root.type == "ZeroDivisionError"
    assert [f.function for f in root.frames] == ["<main>", "Pay#share", "Integer#/"]
    assert (outer.type, outer.message) == ("Pay::Failed", "charge failed\nsecond line")


def test_rails_tells_type_and_message_the_other_way_round(read: Read) -> None:
    (error,) = read("ruby-rails").errors

    assert error.type == "ActiveRecord::RecordNotFound"
    assert error.message == "Couldn't find Order with 'id'=42"
    assert [f.function for f in error.frames] == ["call", "show"]


def test_sidekiq_logs_the_backtrace_below_the_type(read: Read) -> None:
    (error,) = read("ruby-sidekiq").errors

    assert (error.type, error.message) == ("ZeroDivisionError", "divided by 0")
    assert [f.function for f in error.frames] == ["perform", "/"]
