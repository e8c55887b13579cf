"""What differed between columns, what of it is uneven, and what each column was given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panel_records import record

from comparator.comparison.fairness import fair_play, fair_play_words
from comparator.comparison.fairness.fair_play import CHOSEN, NATURAL, UNEVEN

TEXTS = Path(fair_play.__file__).parents[2] / "ui" / "texts"
IN_TURN = 120.0  # when a second column begins
SENTENCE = "No AMX."


def verdicts(*records: dict[str, Any]) -> dict[str, str]:
    return {one.name: one.verdict for one in fair_play.of(records).differences}


def second(**changes: Any) -> dict[str, Any]:
    return record(start=IN_TURN, **changes)


def test_two_runs_alike_are_fair_and_differ_in_their_order_alone():
    found = fair_play.of([record(), second()])
    assert [(one.name, one.values, one.verdict) for one in found.differences] == [
        ("order", [1, 2], NATURAL)
    ]
    assert found.is_fair


def test_two_engines_differ_by_nature_and_are_fair():
    found = fair_play.of([record(), record("pytorch", IN_TURN)])
    assert {one.name for one in found.differences} == {
        *("template", "engine", "way", "dtype", "order")
    }
    assert {one.verdict for one in found.differences} == {NATURAL}
    assert found.is_fair


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("template", {"prompt__template_source": "none"}),
        ("template", {"prompt__template_source": "fallback"}),
        ("threads", {"engine__threads": 1}),
        ("engine", {"engine__name": "llama.cpp 2"}),
        ("way", {"engine__way": "recomputing"}),
        ("device", {"engine__device": "cuda"}),
        ("fallbacks", {"engine__fallbacks": [SENTENCE]}),
        ("disturbed", {"stats__disturbed": ["decode"]}),
        ("files", {"stats__files_cached": 0.0}),
        ("question", {"prompt__messages": [{"role": "user", "content": "other"}]}),
        ("ended", {"stats__finish_reason": "error"}),
        ("ended", {"stats__finish_reason": "cancelled"}),
    ],
)
def test_what_makes_a_comparison_uneven_is_marked_and_comes_first(name, changes):
    found = fair_play.of([record(), second(**changes)])
    first = found.differences[0]
    assert (first.name, first.verdict) == (name, UNEVEN)
    assert not found.is_fair


def test_a_column_that_never_came_to_a_prompt_has_no_template_to_differ_by():
    stopped = {"prompt__template_source": "none", "prompt__rendered": ""}
    assert "template" not in verdicts(record(), second(**stopped))


def test_settings_that_a_person_gave_one_column_are_a_choice():
    own = second(config__temperature=1.5, config_sources={"temperature": "given"})
    found = fair_play.of([record(), own])
    assert found.differences[0].name == "temperature"
    assert found.differences[0].values == [0.7, 1.5]
    assert found.differences[0].verdict == CHOSEN
    assert found.is_fair


def test_what_follows_from_a_choice_is_one():
    threads = second(config__n_threads=1, engine__threads=1, config_sources={"n_threads": "given"})
    assert verdicts(record(), threads)["threads"] == CHOSEN
    plain = second(
        config__prompt_format="plain",
        prompt__template_source="none",
        config_sources={"prompt_format": "given"},
    )
    assert verdicts(record(), plain)["template"] == CHOSEN


def test_the_same_setting_for_all_makes_no_choice_of_what_engines_took_of_it():
    same = {"config__n_threads": 4, "config_sources": {"n_threads": "given"}}
    assert verdicts(record(**same), second(**same, engine__threads=1))["threads"] == UNEVEN


def test_a_makers_values_and_drawn_seeds_are_said_and_no_fault():
    maker = second(config__top_k=7, config_sources={"top_k": "maker"})
    drawn = second(config__seed=9, config_sources={"seed": "drawn"})
    assert verdicts(record(), maker)["top_k"] == NATURAL
    assert verdicts(record(), drawn)["seed"] == NATURAL


def test_one_that_ran_beside_another_is_uneven_to_one_that_ran_alone():
    beside = verdicts(record(), record(start=101.0), record(start=200.0))
    assert beside["beside"] == UNEVEN
    assert "order" not in beside
    assert not {"beside", "order"} & verdicts(record(), record(start=101.0)).keys()


def test_a_disturbed_comparison_is_told_also_where_all_columns_were():
    both = {"stats__disturbed": ["decode", "load"]}
    (told,) = [
        one for one in fair_play.of([record(**both), second(**both)]).differences
        if one.name == "disturbed"
    ]  # fmt: skip
    assert told.values == [["load", "decode"]] * 2
    assert told.verdict == UNEVEN


def test_models_that_shared_the_cores_by_choice_are_no_fault_of_each_other():
    shared = {"stats__disturbed": ["decode"]}
    assert verdicts(record(**shared), record(start=101.0, **shared))["disturbed"] == CHOSEN
    assert verdicts(record(**shared), record(start=101.0))["disturbed"] == UNEVEN
    assert verdicts(record(**shared), second(**shared))["disturbed"] == UNEVEN


def test_an_answer_that_the_context_cut_is_not_one_that_its_limit_cut():
    limited = record(stats__finish_reason="length", config__max_tokens=10)
    full = second(stats__finish_reason="length", engine__context_length=18)
    (ended,) = [one for one in fair_play.of([limited, full]).differences if one.name == "ended"]
    assert ended.values == ["cut_tokens", "cut_context"]
    assert ended.verdict == UNEVEN


def test_a_setting_that_was_given_and_not_taken_is_marked():
    asked = {"config__n_ctx": 16384, "config_sources": {"n_ctx": "given"}}
    found = fair_play.of([record(**asked), second(**asked, engine__context_length=8192)])
    assert not found.is_fair
    assert [(one.name, one.asked, one.taken) for one in found.columns[1].changed] == [
        ("n_ctx", 16384, 8192)
    ]
    (said, _other) = list(fair_play_words.changes(found))
    assert said == "model of gguf: n_ctx 16384 became 2048 (this model's own limit)."


def test_figures_of_a_continued_answer_beside_those_of_a_whole_one_are_uneven():
    found = fair_play.of([record(), second(prompt__continued=12)])
    assert [(one.name, one.values) for one in found.uneven] == [("figures", ["whole", "rest"])]
    both = fair_play.of([record(prompt__continued=9), second(prompt__continued=12)])
    assert not both.uneven


def test_one_setting_is_told_of_as_one_and_two_as_two():
    given = {"config__n_ctx": 16384, "engine__context_length": 2048}
    changed = record(**given, config_sources={"n_ctx": "given"})
    verdicts = [fair_play_words.verdict(fair_play.of([changed] * count)) for count in (1, 2)]
    assert verdicts == [
        "Fair play: 1 setting was not taken as asked.",
        "Fair play: 2 settings were not taken as asked.",
    ]


def test_a_prompt_is_cut_where_its_special_tokens_are():
    shown = record(prompt__rendered="<s>a<e>b", prompt__special=[0, 3, 4, 7])
    assert fair_play.pieces(shown) == [("<s>", True), ("a", False), ("<e>", True), ("b", False)]
    first = record(prompt__rendered="a", prompt__special=[], prompt__first_token="<s>")
    assert fair_play.pieces(first) == [("<s>", True), ("a", False)]


@pytest.mark.parametrize("places", [[3], [5, 2], [0, 99], ["0", 3], [None, 1], [1, 1], {"a": 1}])
def test_places_that_are_none_mark_nothing_and_lose_nothing(places):
    shown = record(prompt__rendered="<s>hi", prompt__special=places)
    assert "".join(text for text, _ in fair_play.pieces(shown)) == "<s>hi"


def test_a_context_is_told_with_what_is_left_of_it():
    column = fair_play.of([record()]).columns[0]
    assert (column.prompt_tokens, column.answer_tokens) == (8, 10)
    assert (column.context_tokens, column.tokens_left) == (2048, 2048 - 18)


def test_a_column_alone_has_no_differences():
    assert fair_play.of([record(stats__disturbed=["decode"])]).differences == []
    assert fair_play.of([]).is_fair


def test_a_column_that_never_ran_is_no_difference_but_in_its_end():
    refused = second(
        engine={}, stats={"start_time": 1.0, "finish_reason": "error"}, prompt={}, receipt={}
    )
    assert verdicts(record(), refused) == {"ended": UNEVEN}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside),
    max_leaves=5,
)
PARTS = ("model", "config", "config_sources", "prompt", "engine", "stats", "sent", "receipt")


@given(st.sampled_from(PARTS), JSON)
def test_a_record_with_any_part_wrong_is_told_without_a_fault(part, value):
    wrong = {**record(), part: value}
    found = fair_play.of([record(), wrong])
    json.dumps(found.to_record(), allow_nan=True)
    fair_play_words.rows(found)
    fair_play_words.verdict(found)
    list(fair_play_words.changes(found))


@given(st.sampled_from(["engine", "stats", "prompt"]), st.data())
def test_a_record_with_any_value_wrong_is_told_without_a_fault(part, data):
    made = record()
    name = data.draw(st.sampled_from(sorted(made[part])))
    made[part][name] = data.draw(JSON)
    fair_play_words.rows(fair_play.of([record(), made]))


def test_exports_and_page_use_the_same_english_words():
    told = json.loads((TEXTS / "en" / "fair_play.json").read_text("utf-8"))
    for prefix, words in (
        ("name", fair_play_words.NAMES),
        ("value", fair_play_words.VALUES),
        ("verdict", fair_play_words.VERDICTS),
        ("why", fair_play_words.REASONS),
    ):
        begun = {key: text for key, text in told.items() if key.startswith(f"{prefix}.")}
        assert begun == {f"{prefix}.{name}": text for name, text in words.items()}


def test_rows_are_worded_and_show_control_characters():
    own = second(config__system_prompt="a\x1b", config_sources={"system_prompt": "given"})
    own["prompt"]["messages"].insert(0, {"role": "system", "content": "a\x1b"})
    rows = fair_play_words.rows(fair_play.of([record(), own]))
    assert [row.name for row in rows] == ["System prompt", "Order"]
    assert rows[0].values == ["–", "a\\x1b"]
    assert rows[0].verdict == "your choice"
