"""Texts as visitors may see them."""

from __future__ import annotations

import pytest

from comparator.core.text import without_folders, without_paths


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("loaded from /srv/my models/x/a.gguf (v3)", "loaded from x/a.gguf (v3)"),
        ("/home/anna/.venv/lib/python3.11/site-packages/a.py:7: Warning", "a.py:7: Warning"),
        ('File "/usr/lib/b.py", line 2', 'File "b.py", line 2'),
        ("C:\\Users\\anna\\a.gguf", "a.gguf"),
        ("see https://example.org/a/b, and/or 1/2/3 tok/s", None),
    ],
)
def test_a_log_tells_names_and_no_folders(text: str, shown: str | None) -> None:
    assert without_paths(text, "/srv/my models") == (text if shown is None else shown)


def test_a_sentence_loses_the_folders_that_are_named_alone() -> None:
    told = "/srv/models/x/a.gguf is gone from /srv/models/x; see /proc/meminfo."
    assert without_folders(told, "/srv/models", "/srv/models/x", "") == (
        "a.gguf is gone from x; see /proc/meminfo."
    )
