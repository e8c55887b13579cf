"""The pictures of the page's screens: which there are, and that the index beside them is theirs."""

from __future__ import annotations

import argparse
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


def test_every_screen_can_be_reached(make_screens: Any) -> None:
    known = {look.name for look in make_screens.LOOKS}
    screens = [one for group in make_screens.SCREENS.values() for one in group]
    for screen in screens:
        assert {word for word, _ in screen.steps} <= set(make_screens.DO), screen.name
        assert set(screen.looks) <= known, screen.name
    assert len({screen.name for screen in screens}) == len(screens)


def test_what_is_there_already_is_left_out_of_a_run_that_goes_on(
    make_screens: Any, tmp_path: Path
) -> None:
    look, screen = make_screens.LOOKS[0], make_screens.SCREENS["page"][0]
    asked = {"only": [screen.name], "every_look": False, "output": tmp_path}
    begun, further = (argparse.Namespace(**asked, resume=value) for value in (False, True))
    assert make_screens.wanted_of("page", look, further) == [screen]
    make_screens.picture_of(screen, look, further).touch()
    assert make_screens.wanted_of("page", look, further) == []
    assert make_screens.wanted_of("page", look, begun) == [screen]


@pytest.mark.skipif(not (DOCS / "screens.md").exists(), reason="make screenshots was not run yet")
def test_every_screen_has_its_pictures_which_are_small_together(make_screens: Any) -> None:
    looks = [look.name for look in make_screens.LOOKS]
    screens = [one for group in make_screens.SCREENS.values() for one in group]
    expected = {f"{one.name}-{look}.webp" for one in screens for look in one.looks or looks}
    taken = list((DOCS / "screens").iterdir())
    assert {path.name for path in taken} == expected
    index = (DOCS / "screens.md").read_text("utf-8")
    assert set(re.findall(r"\(screens/([^)]+)\)", index)) == expected
    assert sum(path.stat().st_size for path in taken) < MOST_BYTES
