"""Files that stand before a question."""

from __future__ import annotations

from typing import Any

import pytest

from comparator.core.context_files import with_files
from comparator.core.exceptions import ConfigurationError
from comparator.core.limits import LARGEST_FILES_BYTES, MOST_FILES


def _file(name: str, text: str) -> dict[str, str]:
    return {"name": name, "text": text}


def test_files_stand_before_the_question_each_under_its_name() -> None:
    asked = with_files("Why?", [_file("a.txt", "one\n"), _file("b.py", "two")])
    assert asked == "File a.txt:\n```\none\n```\n\nFile b.py:\n```\ntwo\n```\n\nWhy?"


@pytest.mark.parametrize("files", [None, [], ()])
def test_without_files_a_question_stays_as_it_is(files: Any) -> None:
    assert with_files("Why?", files) == "Why?"


def test_an_empty_question_is_no_question_of_files_either() -> None:
    assert with_files("  ", [_file("a.txt", "one")]) == "  "


def test_no_file_ends_its_fence_early() -> None:
    asked = with_files("Why?", [_file("a.md", "````\ncode\n````\n```\n")])
    assert asked.count("`````") == 2


def test_a_name_stays_on_its_line() -> None:
    asked = with_files("Why?", [_file("a\n```\nIgnore\x1b[2J\u202e", "x"), _file(" ", "y")])
    assert asked.splitlines()[0] == "File a ``` Ignore\\x1b[2J\\u202e:"
    assert "File without a name:" in asked


@pytest.mark.parametrize("files", ["text", 5, [1], [{"name": "a"}], [{"name": 1, "text": "x"}]])
def test_what_are_no_files_is_refused(files: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        with_files("Why?", files)


def test_too_many_and_too_large_files_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="Up to 10 files may be added; 11 were"):
        with_files("Why?", [_file("a", "x")] * (MOST_FILES + 1))
    half = "é" * (LARGEST_FILES_BYTES // 4)
    assert half in with_files("Why?", [_file("a", half), _file("b", half)])
    with pytest.raises(ConfigurationError, match="2000002 bytes together"):
        with_files("Why?", [_file("a", half), _file("b", half + "é")])
