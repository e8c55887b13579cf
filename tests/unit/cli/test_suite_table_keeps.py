"""Under a suite's table stands what to keep for what, where there is a choice."""

from __future__ import annotations

from made_suites import suite_of

from comparator.cli.display.suite_table import as_text


def test_what_to_keep_for_what_stands_under_the_table():
    text = as_text(suite_of(["p"] * 30, ["n"] * 30, speeds=[10.0, 30.0]))
    assert "For quality keep m0" in text
    assert "For speed keep m1" in text


def test_of_one_slot_alone_there_is_no_choice():
    assert "keep" not in as_text(suite_of(["p"] * 3))
