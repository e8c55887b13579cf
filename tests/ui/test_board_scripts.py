"""The board's scripts by hand: figures, differences, tokens, copies, and what must not move."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from script_alone import script_alone

from comparator.core import units
from comparator.ui import browser_libraries
from comparator.ui.compare.tab import COLUMN_SCRIPTS
from comparator.ui.static_files import STATIC, static_text
from tests.ui.test_column_script import VIEW

DIFFERENCE = """([first, second]) => {
  const found = differenceOf(first, second);
  const sides = found.sides.map((side) => {
    const root = make("pre");
    drawDifference(root, side, found.parting);
    return [root.textContent, [...root.querySelectorAll("mark")].map((node) => node.textContent),
            root.querySelectorAll(".parting").length];
  });
  return [sides, differenceInWords(found)];
}"""


@pytest.fixture(scope="module")
def scripts(browser: Browser) -> Iterator[Page]:
    """A page with the columns' scripts, styles and libraries, that answers no request."""
    page = browser.new_page(locale="en-US", viewport={"width": 1280, "height": 800})
    page.add_script_tag(content=browser_libraries.script().decode())
    page.add_script_tag(content=f"{script_alone()}\n{static_text(*COLUMN_SCRIPTS)}")
    for name in ("page.css", "board.css"):
        page.add_style_tag(path=STATIC / name)
    page.evaluate("beginMarkdown()")
    yield page
    page.close()


@pytest.mark.parametrize(
    "number", [0.004, 0.5, 1.0, 9.994, 64.2, 99.994, 123.4, 1234.6, 98_362_432]
)
def test_figures_are_worded_as_everywhere_else(scripts: Page, number: float) -> None:
    words = scripts.evaluate(
        "(n) => [secondsInWords(n), speedInWords(n), bytesInWords(Math.round(n * 1000))]", number
    )
    assert words == [units.seconds(number), units.speed(number), units.size(round(number * 1000))]


def test_every_state_has_its_words(scripts: Page) -> None:
    cases: list[dict[str, Any]] = [
        {"state": "waiting", "position": 3},
        {"state": "loading", "share": 0.34},
        {"state": "loading", "share": 0.34, "seconds_left": 40},
        {"state": "loading", "share": 0.34, "seconds_left": 125},
        {"state": "reading the prompt", "prompt_tokens": 12},
        {"state": "writing", "thinking": {"tokens": 1, "seconds": 0.1}},
        {"state": "writing"},
        {"state": "done"},
        {"state": "something of a later engine"},
    ]
    words = scripts.evaluate(
        "(views) => views.map(stateInWords)", [{**VIEW, "text": " \n", **case} for case in cases]
    )
    assert words == [
        "waiting, number 3 in line",
        "loading 34 %",
        "loading 34 %, 40 s left",
        "loading 34 %, 2 min 05 s left",
        "reading the prompt, 12 tokens",
        "thinking",
        "writing",
        "done",
        "something of a later engine",
    ]


@pytest.mark.parametrize(
    ("first", "second", "marks", "words"),
    [
        (
            "The cat sat down.",
            "The old cat sat.",
            [["down"], ["old"]],
            "Words that are the same at the start: 1. Marked are words that only one answer has: "
            "1 in the first, 1 in the second.",
        ),
        ("Same words", "Same  words\n", [[], []], "Both answers are the same, word for word."),
        (
            "Paris",
            "Lyon",
            [["Paris"], ["Lyon"]],
            "They part at the first word. Marked are words that only one answer has: "
            "1 in the first, 1 in the second.",
        ),
        (
            "<b>x</b> & \u202ey",
            "<i>x</i> & \u202ey",
            [["b", "b"], ["i", "i"]],
            "They part at the first word. Marked are words that only one answer has: "
            "2 in the first, 2 in the second.",
        ),
    ],
)
def test_words_that_only_one_answer_has_are_marked(
    scripts: Page, first: str, second: str, marks: list[list[str]], words: str
) -> None:
    sides, said = scripts.evaluate(DIFFERENCE, [first, second])
    assert [side[0] for side in sides] == [first, second]  # nothing is lost or turned into HTML
    assert [side[1] for side in sides] == marks
    assert [side[2] for side in sides] == [0 if "same, word" in words else 1] * 2
    assert said == words


def test_chinese_is_compared_by_words_and_without_a_segmenter_by_characters(scripts: Page) -> None:
    texts = ["法国的首都是巴黎。", "法国的首都是里昂。"]
    sides, _said = scripts.evaluate(DIFFERENCE, texts)
    assert [side[1] for side in sides] == [["巴黎"], ["里昂"]]
    assert scripts.evaluate("'法国 ab'.match(WORDS)") == ["法", "国", " ", "ab"]


def test_an_answer_that_goes_on_where_the_other_ends_parts_at_its_end(scripts: Page) -> None:
    sides, _said = scripts.evaluate(DIFFERENCE, ["One two", "One two three"])
    assert [side[1:] for side in sides] == [[[], 1], [["three"], 1]]


def test_what_differs_in_everything_is_not_searched_for_ever(scripts: Page) -> None:
    sides, said = scripts.evaluate(
        """() => {
      const sides = [{ words: ["a"], own: null }, { words: ["b"], own: null }];
      const found = { parting: 0, sides };
      const root = make("pre");
      drawDifference(root, found.sides[0], 0);
      const partings = root.querySelectorAll(".parting").length;
      return [[root.textContent, partings], differenceInWords(found)];
    }"""
    )
    assert sides == ["a", 1]
    assert "only the place where they part is marked" in said


def test_tokens_are_chips_of_the_text_and_shaded_where_it_is_known(scripts: Page) -> None:
    chips = scripts.evaluate(
        """() => {
      const root = make("pre");
      drawTokens(root, "So <b>🙂\\n", [[3, 0, null], [3, 1, 0.25], [2, 2, null], [1, 1, null]]);
      return [root.textContent, [...root.querySelectorAll(".token")].map((node) =>
        [node.textContent, node.title, node.style.getPropertyValue("--unlikely"), node.className])];
    }"""
    )
    assert chips == [
        "So <b>🙂\n",
        [
            ["<b>", "25 % likely", "0.75", "token shaded"],
            ["🙂", "2 tokens", "", "token"],
            ["\n", "", "", "token line-end"],
        ],
    ]


def test_a_copy_works_without_the_clipboards_own_door(scripts: Page) -> None:
    """By http from another machine a browser has no ``navigator.clipboard``."""
    copied = scripts.evaluate(
        """async () => {
      let copied = "";
      document.execCommand = () => { copied = document.activeElement.value; return true; };
      const before = await copyText("the <b>text</b>\\n");
      document.execCommand = () => { throw new Error("not allowed"); };
      const after = await copyText("x");
      delete document.execCommand;
      return [navigator.clipboard === undefined, copied, before, after,
              document.querySelectorAll("textarea").length];
    }"""
    )
    assert copied == [True, "the <b>text</b>\n", True, False, 0]


def test_a_block_of_code_has_its_button_and_keeps_its_text(scripts: Page) -> None:
    copied = scripts.evaluate(
        """async (view) => {
      const column = new Column(0);
      document.body.replaceChildren(column.root);
      column.draw(view);
      const buttons = column.root.querySelectorAll("pre .copy").length;
      column.draw({ ...view, state: "done" });
      column.draw({ ...view, state: "done" });
      let copied = "";
      document.execCommand = () => { copied = document.activeElement.value; return true; };
      const [button, ...more] = column.root.querySelectorAll("pre .copy");
      button.click();
      await new Promise((done) => button.addEventListener("told", done));
      delete document.execCommand;
      return [buttons, more.length, copied, column.root.querySelector("pre").textContent];
    }""",
        {**VIEW, "text": "```python\nprint(1)\n\n```\n"},
    )
    assert copied == [0, 0, "print(1)\n", "print(1)\n\n"]


def test_nothing_but_the_text_moves_from_the_first_view_to_the_last(scripts: Page) -> None:
    numbers = [["first_token", 0.5], ["speed", 21.5], ["tokens", 9], ["load", 0.3]]
    views = [
        {**VIEW, "state": "waiting", "position": 2, "text": ""},
        {**VIEW, "state": "loading", "share": 0.4, "seconds_left": 125, "text": ""},
        {**VIEW, "state": "writing", "text": "One", "numbers": numbers[:1]},
        {**VIEW, "state": "writing", "text": "One two", "numbers": numbers},
        {
            **VIEW,
            "state": "done",
            "text": "One two",
            "cut": True,
            "numbers": [*numbers, ["peak_memory", 98_000_000]],
            "details": [["prompt", "hi"], ["template", "none"]],
        },
    ]
    places = scripts.evaluate(
        """(views) => {
      const board = make("div", null, "replies");
      board.id = "board-root";
      board.dataset.mode = "markdown";
      const columns = [0, 1, 2].map((slot) => new Column(slot));
      board.append(...columns.map((column) => column.root));
      document.body.replaceChildren(board);
      const place = (node) => ["top", "height"].map((side) => node.getBoundingClientRect()[side]);
      return views.map((view) => {
        columns.forEach((column) => column.draw(view));
        const { root, answer, numbers, details } = columns[1];
        return [root, answer, numbers, details].map(place);
      });
    }""",
        views,
    )
    assert [place for place in places if place != places[0]] == []


def test_hostile_names_and_questions_are_text(scripts: Page) -> None:
    hostile = "<img src=x onerror=window.hacked=1>\u200b\u05d0"
    turns = [{"question": hostile, "answer": hostile}] * 3
    shown = scripts.evaluate(
        """async (view) => {
      const column = new Column(0);
      document.body.replaceChildren(column.root);
      column.draw(view);
      const { root, name } = column;
      const fold = root.querySelector(".earlier");
      fold.open = true;
      await new Promise((done) => fold.addEventListener("toggle", done));
      const questions = [...root.querySelectorAll(".question p")];
      return [root.querySelectorAll("img").length, name.textContent,
              questions.map((node) => node.textContent),
              root.querySelectorAll(".earlier-answer").length,
              [name, ...questions].every((node) => node.dir === "auto")];
    }""",
        {
            **VIEW,
            "state": "done",
            "name": hostile,
            "question": hostile,
            "turns": turns,
            "text": "x",
        },
    )
    assert shown == [0, hostile, [hostile] * 4, 3, True]
    assert scripts.evaluate("window.hacked") is None


def test_a_kept_answer_says_that_its_tokens_were_not_kept(scripts: Page) -> None:
    said = scripts.evaluate(
        """(view) => {
      let asked = 0;
      const marks = new Marks(make("div", document.body), () => { asked += 1; });
      const column = new Column(0);
      column.draw(view);
      marks.setMode("tokens", [column], [view]);
      const before = marks.words.textContent;
      marks.draw([column], [{ ...view, tokens: null }]);
      marks.draw([column], [{ ...view, tokens: null }]);
      return [asked, before, marks.words.textContent];
    }""",
        {**VIEW, "state": "done", "text": "x", "reopened": True},
    )
    assert said == [
        1,
        "Tokens are shown when the answer is whole.",
        "The tokens of this answer were not kept.",
    ]


# Two columns with their row of names, as a phone shows them.
PHONE = """(views) => {
  const board = make("div");
  board.id = "board-root";
  board.dataset.mode = "markdown";
  const grid = make("div", null, "replies");
  const columns = views.map((_, slot) => new Column(slot));
  grid.append(...columns.map((column) => column.root));
  const tabs = new ColumnTabs(board, grid);
  board.append(grid);
  document.body.replaceChildren(board);
  columns.forEach((column, slot) => column.draw(views[slot]));
  tabs.fresh(views.length);
  tabs.draw(views);
}"""


def test_a_swipe_leads_to_the_next_column_and_names_are_told_apart(browser: Browser) -> None:
    context = browser.new_context(
        locale="en-US", viewport={"width": 390, "height": 844}, has_touch=True
    )
    phone = context.new_page()
    phone.add_script_tag(content=browser_libraries.script().decode())
    phone.add_script_tag(content=f"{script_alone()}\n{static_text(*COLUMN_SCRIPTS)}")
    for name in ("page.css", "board.css", "narrow.css"):
        phone.add_style_tag(path=STATIC / name)
    names = ["SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct.Q8_0"]
    views = [{**VIEW, "state": "done", "text": "A word. " * 300, "name": name} for name in names]
    phone.evaluate(PHONE, views)
    tabs = phone.locator(".column-tabs button")
    expect(tabs.locator(".tab-name")).to_have_text(["A · …Instruct", "B · …Q8_0"])
    expect(tabs.nth(1)).to_have_attribute("title", names[1])
    box = phone.locator(".answer").first.bounding_box()
    assert box is not None
    touch = context.new_cdp_session(phone)

    def touches(kind: str, *across: float) -> None:
        points = [{"x": x, "y": box["y"] + 40} for x in across]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touches("touchStart", 340)
    for x in range(320, 20, -20):
        touches("touchMove", x)
    touches("touchEnd")
    expect(tabs.nth(1)).to_have_attribute("aria-pressed", "true")
    context.close()
