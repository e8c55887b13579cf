"""The browser's column, drawn by hand: all of a text stands there, and nothing of it is obeyed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from script_alone import script_alone

from comparator.ui import browser_libraries
from comparator.ui.compare.tab import COLUMN_SCRIPTS
from comparator.ui.static_files import static_text

VIEW = {
    "name": "A model",
    "kind": "Echo",
    "state": "writing",
    "position": 0,
    "share": None,
    "prompt_tokens": None,
    "error": "",
    "notice": "",
    "fallbacks": [],
    "numbers": [],
    "cut": False,
    "turns": [],
    "question": "",
    "thought": "",
    "thinking": None,
    "details": [],
    "attempt": 0,
}
DRAW = """(views) => {
  const column = new Column(0);
  document.body.replaceChildren(column.root);
  return views.map((view) => {
    column.draw(view);
    return [column.plainRoot.textContent, column.markdownRoot.textContent.trim()];
  });
}"""
# How many changes of the page each view makes, and how many of them in the figures.
DRAW_CHANGES = """(views) => {
  const column = new Column(0);
  document.body.replaceChildren(column.root);
  const watcher = new MutationObserver(() => {});
  const all = { subtree: true, childList: true, attributes: true, characterData: true };
  watcher.observe(document.body, all);
  return views.map((view) => {
    column.draw(structuredClone(view));
    const changes = watcher.takeRecords();
    const figures = changes.filter(({ target }) => column.numbers.contains(target));
    return [changes.length, figures.length];
  });
}"""
DRAW_THOUGHTS = """(views) => {
  const column = new Column(0);
  document.body.replaceChildren(column.root);
  return views.map((view) => {
    column.draw(view);
    const fold = column.root.querySelector("details.thinking");
    const shown = fold ? [fold.querySelector("summary"), fold.querySelector("pre")] : [{}, {}];
    return [column.plainRoot.textContent, ...shown.map((node) => node.textContent ?? null)];
  });
}"""
# Draws a text piece by piece, as fast as it comes, and all at once.
GROW = """([text, size]) => {
  const grown = new MarkdownView(make("div"), (draw) => draw());
  for (let at = 0; at < text.length; at += size) {
    grown.nextAt = 0;
    grown.append(text.slice(at, at + size));
  }
  grown.finish();
  const whole = new MarkdownView(make("div"), (draw) => draw());
  whole.append(text);
  whole.finish();
  return [grown.root.innerHTML, whole.root.innerHTML].map((html) => html.replaceAll("\\n", ""));
}"""
# The lengths that blind answers are drawn with, with the clock held at some milliseconds.
PACE = """([texts, times, isStill]) => {
  let now = 0;
  const [realNow, realTimeout] = [performance.now, window.setTimeout];
  performance.now = () => now;
  window.setTimeout = () => 0; // it is asked by hand here
  Object.defineProperty(STILL, "matches", { value: isStill, configurable: true });
  const pace = new Pace(() => {});
  const columns = texts.map((text) => ({ text, state: "done" }));
  const waiting = texts.map(() => ({ text: "", state: "waiting" }));
  pace.of({ run: 1, running: true, vote: { blind: true }, columns: waiting });
  const found = times.map((time) => {
    now = time;
    const drawn = pace.of({ run: 1, running: false, vote: { blind: true }, columns });
    return drawn.map(({ text, state }) => [text.length, text.isWellFormed(), state]);
  });
  [performance.now, window.setTimeout] = [realNow, realTimeout];
  return found;
}"""
SHOW = """(text) => {
  const view = new MarkdownView(document.body, (draw) => draw());
  view.append(text);
  view.finish();
}"""
DOCUMENT = r"""# Heading **bold** and `code`

Setext
======
A line
and another with $x^2$, $5 and $6.

1. one

2. two
   - inner

     deeper text
   - other
3. three

- a
* b

> quote
lazy
> - item

| a | b |
|---|--:|
| 1 | `2` |
| x
end

```python
def f(x):
    # not a heading
    return x
```

    indented
    code

$$
a
- b
= c
$$

\[ \frac{1}{2} \]

See [that](https://example.com/a) and https://example.com/b.

---
Last *line*"""
# An address that is told after its link lets all of a text be drawn anew at the end.
REFERRING = "See [the end].\n\nMore.\n\n[the end]: https://example.com/end\n\nLast"


@pytest.fixture(scope="module")
def open_page(browser: Browser) -> Iterator[Page]:
    """A page with the board's scripts and their libraries, that answers no request."""
    page = browser.new_page()
    page.add_script_tag(content=browser_libraries.script().decode())
    page.add_script_tag(content=f"{script_alone()}\n{static_text(*COLUMN_SCRIPTS)}")
    page.evaluate("beginMarkdown()")
    yield page
    page.close()


def _shown(page: Page, text: str) -> None:
    page.evaluate("document.body.replaceChildren()")
    page.evaluate(SHOW, text)


def _text(characters: int, start: int = 0) -> str:
    return "".join(f"{number:07d}🙂" for number in range(start, start + characters // 8))


def test_headings_of_an_answer_stand_below_its_models_name_whatever_it_leaves_out(
    open_page: Page,
) -> None:
    _shown(open_page, "# One\n\ntext\n\n#### Four\n\ntext")
    told = "(nodes) => nodes.map((node) => [node.tagName, node.ariaLevel])"
    headings = open_page.locator("h1, h4")
    assert headings.evaluate_all(told) == [["H1", "3"], ["H4", "3"]]


def test_a_text_that_grows_piece_by_piece_is_whole(open_page: Page) -> None:
    pieces = [_text(1000, 1000 * number) for number in range(9)]
    texts = ["".join(pieces[: number + 1]) for number in range(9)]
    drawn = open_page.evaluate(DRAW, [{**VIEW, "text": text} for text in texts])
    assert [plain for plain, _markdown in drawn] == texts


def test_what_is_done_is_all_there_however_many_views_were_missed(open_page: Page) -> None:
    first, whole = _text(1600), _text(1600) + _text(50_000, 5000)
    last = {**VIEW, "state": "done", "text": whole}
    drawn = open_page.evaluate(DRAW, [{**VIEW, "text": first}, last])
    assert drawn[1] == [whole, whole]


def test_drawing_that_waits_for_its_turn_is_done_at_the_end(open_page: Page) -> None:
    growing = [{**VIEW, "text": "*word* " * number} for number in range(1, 400)]
    drawn = open_page.evaluate(DRAW, [*growing, {**growing[-1], "state": "done"}])
    assert drawn[-1][1].split() == ["word"] * 399


def test_only_what_has_changed_is_drawn_anew(open_page: Page) -> None:
    views = [VIEW | {"text": "a", "numbers": [["tokens", 1], ["speed", 2]]}]
    views += [views[0], views[0] | {"numbers": [["tokens", 1], ["speed", 3]]}]
    views += [views[2] | {"numbers": [["tokens", 1]]}]
    first, same, faster, fewer = open_page.evaluate(DRAW_CHANGES, views)
    assert first[0] > 1
    assert same == [0, 0]
    assert (faster[1], fewer[1]) == (1, 1), "one value, and one figure that goes"
    assert open_page.locator(".numbers dd").all_inner_texts() == ["1"]


def test_another_attempt_begins_anew(open_page: Page) -> None:
    views = [{**VIEW, "text": "first"}, {**VIEW, "text": "2nd", "attempt": 1, "state": "done"}]
    assert open_page.evaluate(DRAW, views)[1] == ["2nd", "2nd"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 64])
def test_markdown_that_grew_is_what_all_of_it_at_once_is(open_page: Page, size: int) -> None:
    grown, whole = open_page.evaluate(GROW, [DOCUMENT, size])
    assert grown == whole
    for part in ("<ol>", "<table>", "<math", 'class="hljs-keyword"', "example.com/b"):
        assert part in whole


def test_an_address_that_is_told_after_its_link_is_found(open_page: Page) -> None:
    grown, whole = open_page.evaluate(GROW, [REFERRING, 7])
    assert grown == whole
    assert 'href="https://example.com/end"' in whole


def test_blocks_that_are_over_are_never_made_again(open_page: Page) -> None:
    kept = open_page.evaluate("""() => {
      const view = new MarkdownView(make("div"), (draw) => draw());
      const first = [];
      for (let number = 0; number < 50; number += 1) {
        view.nextAt = 0;
        view.append(`A paragraph, number ${number}.\\n\\n`);
        first.push(view.root.firstElementChild);
      }
      return [new Set(first.slice(1)).size, view.rest.length];
    }""")
    assert kept == [1, len("A paragraph, number 49.\n\n")]


HOSTILE = [
    "<script>window.hacked = 1</script>",
    '<img src="http://outside.invalid/a" onerror="window.hacked = 1">',
    "<svg onload=window.hacked=1>",
    "![p](http://outside.invalid/b)",
    "![p](data:image/svg+xml;base64,PHN2Zy8+)",
    "[press](javascript:window.hacked=1)",
    "[press](JaVaScRiPt&colon;window.hacked=1)",
    "[press](&#106;avascript:window.hacked=1)",
    "[press](data:text/html,<script>window.hacked=1</script>)",
    "[press](vbscript:x) [press](file:///etc/passwd) [press](//outside.invalid) [press](/logout)",
    "<javascript:window.hacked=1> <https://outside.invalid/c>",
    '[x](https://outside.invalid "\\" onmouseover=window.hacked=1")',
    "[![p](http://outside.invalid/d)](http://outside.invalid/e)",
    "[a]: javascript:window.hacked=1\n\n[a]",
    "```html\n<script>window.hacked = 1</script>\n```",
    '```"><img src=x onerror=window.hacked=1>\nx\n```',
    "`<img src=x onerror=window.hacked=1>`",
    "| <b onclick=window.hacked=1>x</b> | y |\n|---|---|\n| </td><script>hacked=1</script> | |",
    "$\\href{javascript:window.hacked=1}{x}$ $\\url{javascript:window.hacked=1}$",
    "$\\includegraphics{http://outside.invalid/f}$",
    "$\\htmlData{x=y}{x}$ $\\htmlStyle{background:url(http://outside.invalid/g)}{x}$",
    "$\\text{<img src=x onerror=window.hacked=1>}$ $$</math><script>window.hacked=1</script>$$",
    "$\\def\\a{\\a\\a}\\a$",
    "<math><mtext><table><mglyph><style><!--</style><i title='--&gt;&lt;img src=1 onerror=x()'>",
    ">" * 3000 + " deep",
    "- " * 3000 + "deep",
    "[" * 5000 + "](x)",
    "*a **b " * 3000,
    "\\(" * 5000 + "\\[" * 5000 + "$$" * 5000,
]  # fmt: skip
TAGS_AND_ADDRESSES = """() => {
  const nodes = [...document.body.querySelectorAll("*")];
  const attributes = nodes.flatMap((node) => [...node.attributes]);
  return [
    nodes.map((node) => node.localName),
    attributes.map(({ name }) => name),
    attributes.filter(({ name }) => name === "href").map(({ value }) => value),
  ];
}"""


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_of_a_text_is_obeyed(open_page: Page, text: str) -> None:
    asked: list[str] = []
    listen = lambda request: asked.append(request.url)  # noqa: E731
    open_page.on("request", listen)
    _shown(open_page, text)
    tags, attributes, addresses = open_page.evaluate(TAGS_AND_ADDRESSES)
    open_page.remove_listener("request", listen)
    assert not {"script", "img", "svg", "iframe", "style", "form", "input", "mglyph"} & set(tags)
    assert not [name for name in attributes if name.startswith("on") or name in ("src", "style")]
    assert all(address.startswith(("http://", "https://")) for address in addresses)
    assert open_page.evaluate("window.hacked") is None
    assert asked == []


def test_a_link_says_where_it_leads_and_opens_apart(open_page: Page) -> None:
    _shown(open_page, "[bank.example](https://outside.invalid/x) https://plain.invalid/y")
    labelled, bare = open_page.evaluate("""() => [...document.querySelectorAll("a")].map(
      ({ href, rel, target, title, textContent, dataset }) =>
        [href, rel, target, title, textContent, dataset.host ?? null])""")
    safe = ["noopener noreferrer nofollow", "_blank"]
    address = "https://outside.invalid/x"
    assert labelled == [address, *safe, address, "bank.example", "outside.invalid"]
    address = "https://plain.invalid/y"
    assert bare == [address, *safe, address, address, None]


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("<https://bank.example@outside.invalid/x>", "outside.invalid"),
        ("https://bаnk.example/", "xn--bnk-6cd.example"),
        ("https://outside.invalid:8080/", None),
    ],
)
def test_a_bare_address_that_pretends_names_its_host(
    open_page: Page, address: str, host: str | None
) -> None:
    _shown(open_page, address)
    assert open_page.locator("a").text_content() == address.strip("<>")
    assert open_page.locator("a").get_attribute("data-host") == host


def test_marks_that_turn_the_reading_direction_are_shown_also_as_entities(open_page: Page) -> None:
    _shown(open_page, "a &#x202e;b &lt; c&#0; `&#x2066;`")
    assert (
        open_page.evaluate("document.body.textContent").strip() == "a \\u202eb < c\ufffd &#x2066;"
    )


def test_a_text_that_cannot_be_drawn_stands_there_as_it_is(open_page: Page) -> None:
    shown = open_page.evaluate(
        """(view) => {
      const parse = markdown.parse;
      markdown.parse = () => { throw new Error("broken"); };
      const column = new Column(0);
      column.draw(view);
      markdown.parse = parse;
      return column.markdownRoot.textContent;
    }""",
        {**VIEW, "state": "done", "text": "**bold**"},
    )
    assert shown == "**bold**"


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $6.",
        "US$5-US$6, A$7",
        "$5-$6 or $20,000/$30,000",
        "**$5** and **$6**",
        "echo $HOME and $PATH, $HOME/$PATH",
        "a lone $ and another $ here",
        "5$ and 6$",
        r"\$x\$",
        "`$x$`",
        "costs $$$ to $$$",
    ],
)
def test_money_is_no_formula(open_page: Page, text: str) -> None:
    _shown(open_page, text)
    assert open_page.locator("math").count() == 0
    shown = open_page.evaluate("document.body.textContent").strip()
    assert shown == text.replace("**", "").replace("\\$", "$").replace("`", "")


@pytest.mark.parametrize(
    ("text", "is_apart"),
    [
        ("so $x^2$ is", False),
        (r"so \(x_1\) is", False),
        ("$5, then $x$.", False),
        ("$$\nx^2 +\n- y\n$$", True),
        ("$$x^2$$", True),
        ("\\[\n\\frac{a}{b}\n\\]", True),
        ("- item\n  \\[\n  \\sqrt{x}\n  \\]", True),
        (r"in a line \[ \sum_i x_i \] apart", True),
        (r"$$\begin{aligned} a &= b \\ c &= d \end{aligned}$$", True),
    ],
)
def test_formulas_become_mathml(open_page: Page, text: str, is_apart: bool) -> None:
    _shown(open_page, text)
    math = open_page.locator("math")
    assert math.count() == 1
    assert math.evaluate("node => node.namespaceURI") == "http://www.w3.org/1998/Math/MathML"
    assert math.get_attribute("display") == ("block" if is_apart else None)
    assert math.locator("annotation").count() == 1


@pytest.mark.parametrize(
    "text", [r"$\frac{1$", r"\(\nosuchcommand\)", "$$\n\\begin{x}\n$$", "$$ x"]
)
def test_a_formula_of_bad_syntax_stays_text(open_page: Page, text: str) -> None:
    _shown(open_page, text)
    assert open_page.locator("math").count() == 0
    assert open_page.evaluate("document.body.textContent").strip() == text


def test_until_the_libraries_have_come_a_text_stands_as_it_is(browser: Browser) -> None:
    page = browser.new_page()
    page.add_script_tag(content=f"{script_alone()}\n{static_text(*COLUMN_SCRIPTS)}")
    view = {**VIEW, "state": "done", "text": "**bold**\nline"}
    assert page.evaluate(DRAW, [view]) == [["**bold**\nline"] * 2]
    page.add_script_tag(content=browser_libraries.script().decode())
    page.evaluate("beginMarkdown()")
    assert page.locator(".markdown strong").text_content() == "bold"
    page.close()


def test_what_the_sanitiser_lets_through_is_a_closed_list(open_page: Page) -> None:
    html = json.dumps(
        '<div id="run" style="color:red" onclick="x()">a<img src=x><a href="/logout">b</a>'
        '<a href="javascript:x()">c</a><form><input></form><object></object></div>'
    )
    made: Any = open_page.evaluate(f"""() => {{
      const node = make("div");
      node.append(window.DOMPurify.sanitize({html}, ALLOWED));
      return node.innerHTML;
    }}""")
    assert made == "<div>a<a>b</a><a>c</a></div>"


def test_what_is_off_stands_below_the_notice_a_paragraph_each(open_page: Page) -> None:
    view = {**VIEW, "text": "", "notice": "Look."}
    draw = """(views) => {
      const column = new Column(0);
      return views.map((view) => {
        column.draw(view);
        return [...column.root.querySelectorAll(":scope > .notice, .fallbacks .notice")]
          .map((node) => node.textContent);
      });
    }"""
    shown = open_page.evaluate(draw, [{**view, "fallbacks": ["<b>One.", "Two."]}, view])
    assert shown == [["Look.", "<b>One.", "Two."], ["Look."]]


def test_a_thought_grows_shrinks_and_goes_with_its_view(open_page: Page) -> None:
    figures = {"tokens": 2, "seconds": 0.5}
    views = [
        {**VIEW, "text": "Let me"},
        {**VIEW, "text": "", "thought": "Let me", "thinking": figures},
        {**VIEW, "text": "Yes", "thought": "Let me <b>see</b>", "thinking": figures},
        {**VIEW, "text": "", "attempt": 1},
    ]
    seen = open_page.evaluate(DRAW_THOUGHTS, views)
    assert seen == [
        ["Let me", None, None],
        ["", "Thinking: 0.50 s, 2 tokens", "Let me"],
        ["Yes", "Thought for 0.50 s, 2 tokens", "Let me <b>see</b>"],
        ["", None, None],
    ]


def test_blind_answers_appear_at_one_pace_and_never_half_a_character(open_page: Page) -> None:
    texts = ["🙂" * 400, "a" * 300]
    times = [0, 101, 500, 5000]
    first, early, later, last = open_page.evaluate(PACE, [texts, times, False])
    assert [length for length, *_ in first] == [0, 0]
    assert [length for length, *_ in early] == [52, 51], "the same for both, and a whole character"
    assert [length for length, *_ in later] == [250, 250]
    assert [length for length, *_ in last] == [800, 300]
    assert {state for _, _, state in later} == {"writing"}
    assert {state for _, _, state in last} == {"done"}
    assert all(well_formed for drawn in (early, later, last) for _, well_formed, _ in drawn)


def test_who_wants_no_motion_has_blind_answers_at_once(open_page: Page) -> None:
    (drawn,) = open_page.evaluate(PACE, [["a" * 300, "b" * 900], [0], True])
    assert [length for length, *_ in drawn] == [300, 900]


def test_a_text_of_any_length_appears_within_seconds(open_page: Page) -> None:
    (_, drawn) = open_page.evaluate(PACE, [["a" * 1_000_000, "b"], [0, 4001], False])
    assert [length for length, *_ in drawn] == [1_000_000, 1]
