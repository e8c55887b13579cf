"""A name that means nothing kept is told alike for comparisons and for suites."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comparator.cli.display.kept import from_history, from_suites
from comparator.core.exceptions import ConfigurationError
from comparator.storage.history import History
from comparator.storage.suites import Suites


@pytest.mark.parametrize(
    ("store", "read", "lists"),
    [
        (History, from_history, "'comparator history' lists them"),
        (Suites, from_suites, "'comparator suite list' lists them"),
    ],
)
def test_a_name_that_means_nothing_is_told_with_the_command_that_lists(
    store: Callable[[Path], Any], read: Callable[[Any, str], Any], lists: str, tmp_path: Path
) -> None:
    opened = store(tmp_path / "kept.sqlite3")
    with pytest.raises(ConfigurationError, match=rf"is meant by 'abcd'. {lists}"):
        read(opened, "abcd")
    opened.close()


@pytest.mark.parametrize(
    ("store", "read", "told"),
    [
        (History, from_history, "no comparison in the history yet. What 'comparator run' asks"),
        (Suites, from_suites, "No suite is kept here yet. 'comparator suite run basic"),
    ],
)
def test_where_nothing_is_kept_the_last_one_is_told_as_none_yet(
    store: Callable[[Path], Any], read: Callable[[Any, str], Any], told: str, tmp_path: Path
) -> None:
    opened = store(tmp_path / "kept.sqlite3")
    with pytest.raises(ConfigurationError, match=told):
        read(opened, "last")
    opened.close()


@pytest.mark.parametrize(("store", "read"), [(History, from_history), (Suites, from_suites)])
def test_a_file_that_cannot_be_read_is_not_told_as_a_wrong_name(
    store: Callable[[Path], Any], read: Callable[[Any, str], Any], tmp_path: Path
) -> None:
    opened = store(tmp_path)  # a folder
    with pytest.raises(ConfigurationError, match=r"cannot be read: .+"):
        read(opened, "abcd")
    opened.close()
