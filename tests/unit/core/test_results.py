"""What a notebook shows of results: a table in which nothing but text comes from outside."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from comparator.core.models import (
    InferenceResult,
    InferenceStats,
    ModelInfo,
    ModelType,
    RunState,
    Thinking,
)
from comparator.core.results import Results

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&</td>"


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(*results: InferenceResult) -> Seen:
    parser = Seen()
    parser.feed(Results((result.model_id, result) for result in results)._repr_html_())
    return parser


def result(text: str, name: str = "good", **more: object) -> InferenceResult:
    model = ModelInfo("abc", name, "/p", ModelType.ECHO, 1)
    stats = InferenceStats(1.0, token_count=3, tokens_per_second=12.5, time_to_first_token=0.5)
    values: dict[str, object] = {"state": RunState.DONE, "model": model, **more}
    return InferenceResult("abc#2", text, True, None, stats, **values)  # type: ignore[arg-type]


def test_answers_and_figures_stand_in_a_row_for_each_model() -> None:
    parser = seen(result("It is 2."))
    for words in ("good #2", "It is 2.", "done", "12.5 tok/s", "0.50 s", "–"):
        assert words in parser.text
    assert parser.tags == {"table", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize("field", ["content", "name", "error", "notice", "thought"])
def test_whatever_comes_from_outside_is_text(field: str) -> None:
    thinking = Thinking(HOSTILE, 2, 0.5) if field == "thought" else None
    notice = HOSTILE if field == "notice" else None
    one = result(
        HOSTILE if field == "content" else "x",
        HOSTILE if field == "name" else "good",
        notice=notice,
        thinking=thinking,
        error_kind="crashed",
    )
    one.error = HOSTILE if field == "error" else None
    parser = seen(one)
    assert HOSTILE in parser.text
    assert not parser.tags & {"script", "img"}
    assert parser.names <= {"style", "class"}


def test_marks_that_turn_the_reading_direction_are_shown() -> None:
    assert "\\u202e" in seen(result("a\u202eb")).text
    assert "\\x1b" in repr(Results([("a", result("x", name="a\x1b[2J"))]))


def test_notebooks_make_no_formulas_of_answers() -> None:
    table = Results([("a", result("$5 and $6"))])._repr_html_()
    assert table.startswith('<table class="tex2jax_ignore mathjax_ignore">')


def test_it_is_a_dictionary_as_before() -> None:
    one = result("x")
    assert Results([("a", one)]) == {"a": one}
    assert repr(Results([("a", result("x" * 61))])) == f"a: good #2, done, 3 tokens, '{'x' * 60}'…"
    assert list(Results()) == []
    assert "<tbody></tbody>" in Results()._repr_html_()
