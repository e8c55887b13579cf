"""The pictures of the page's screens: which there are, and that the index beside them is theirs."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
MOST_BYTES = 3_000_000  # of all pictures, which everybody clones


@pytest.fixture
def make_screens(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    import make_screens

    yield make_screens
    for name in ("make_screens", "screens"):
        sys.modules.pop(name, None)


def test_every_screen_can_be_reached_and_has_a_picture_in_the_index(make_screens: Any) -> None:
    known = {look.name for look in make_screens.LOOKS}
    screens = [one for group in make_screens.SCREENS.values() for one in group]
    expected = set()
    for screen in screens:
        assert {word for word, _ in screen.steps} <= set(make_screens.DO), screen.name
        assert set(screen.looks) <= known, screen.name
        expected |= {f"{screen.name}-{look}.webp" for look in screen.looks or known}
    assert len({screen.name for screen in screens}) == len(screens)
    assert {path.name for path in (DOCS / "screens").iterdir()} == expected
    index = (DOCS / "screens.md").read_text("utf-8")
    assert set(re.findall(r"\(screens/([^)]+)\)", index)) == expected


def test_the_pictures_are_few_enough_to_be_cloned() -> None:
    assert sum(path.stat().st_size for path in (DOCS / "screens").iterdir()) < MOST_BYTES
