"""The browser's column, drawn by hand: no part of a text may be lost, however views are missed."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from comparator.ui.compare import render
from comparator.ui.page import STATIC

pytestmark = pytest.mark.ui

VIEW = {
    "name": "A model",
    "kind": "Echo",
    "state": "writing",
    "words": "writing",
    "share": None,
    "error": "",
    "notice": "",
    "fallbacks": [],
    "numbers": [],
    "cut": False,
    "details": [],
    "attempt": 0,
}
DRAW = """([views, refill]) => {
  const column = new Column(0, () => {}, () => {});
  const drawn = views.map((view) => column.draw(view));
  const before = column.plainRoot.textContent;
  if (refill) column.refill(refill, 0);
  return [drawn, before, column.plainRoot.textContent, column.isWhole()];
}"""


def _draw(browser: Browser, views: list[dict[str, Any]], refill: list[str] | None) -> list[Any]:
    page = browser.new_page()
    try:
        for name in ("markdown.js", "column.js"):
            page.add_script_tag(path=STATIC / name)
        drawn: list[Any] = page.evaluate(DRAW, [views, refill])
        return drawn
    finally:
        page.close()


def _views(*pieces: str) -> list[dict[str, Any]]:
    blocks = render.TextBlocks()
    views = []
    for piece in pieces:
        blocks.add(piece)
        views.append({**VIEW, "text": blocks.view()})
    return views


def _text(characters: int, start: int = 0) -> str:
    return "".join(f"{number:07d}🙂" for number in range(start, start + characters // 8))


def test_a_text_that_grows_piece_by_piece_is_whole(browser: Browser) -> None:
    pieces = [_text(1000, 1000 * number) for number in range(9)]
    drawn, _before, after, whole = _draw(browser, _views(*pieces), None)
    assert drawn == [True] * 9
    assert whole
    assert after == "".join(pieces)


def test_the_end_of_a_block_that_was_never_sent_is_asked_for(browser: Browser) -> None:
    first, second = _text(1600), _text(8000, 5000)  # three blocks and more between two views
    drawn, before, after, whole = _draw(
        browser, _views(first, second), render.blocks(first + second)
    )
    assert drawn == [True, False]
    assert before == first  # nothing is shown in the wrong place meanwhile
    assert whole
    assert after == first + second


def test_an_older_refill_shows_nothing_wrong(browser: Browser) -> None:
    first, second = _text(1600), _text(16_000, 5000)
    drawn, before, after, whole = _draw(browser, _views(first, second), render.blocks(first))
    assert drawn == [True, False]
    assert before == after == first
    assert not whole


def test_what_is_off_stands_below_the_notice_a_paragraph_each(browser: Browser) -> None:
    view = {**VIEW, "text": render.TextBlocks().view(), "notice": "Look."}
    draw = """(views) => {
      const column = new Column(0, () => {}, () => {});
      return views.map((view) => {
        column.draw(view);
        return [...column.root.querySelectorAll(".notice")].map((node) => node.textContent);
      });
    }"""
    page = browser.new_page()
    try:
        for name in ("markdown.js", "column.js"):
            page.add_script_tag(path=STATIC / name)
        shown = page.evaluate(draw, [{**view, "fallbacks": ["<b>One.", "Two."]}, view])
    finally:
        page.close()
    assert shown == [["Look.", "<b>One.", "Two."], ["Look."]]
