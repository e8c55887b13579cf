"""What a reader should know of a run stands in every form in which results are given away."""

from __future__ import annotations

import csv
import io
import json

import pytest

from comparator.comparison.exports import OF_RESULTS, tables, texts, words
from comparator.core.models import (
    InferenceResult,
    InferenceStats,
    ModelInfo,
    ModelType,
    RunState,
    Thinking,
)

OFF = "It is off: with it the engine died."


def result(*fallbacks: str, notice: str | None = None) -> InferenceResult:
    return InferenceResult(
        "m", "hello", True, None, InferenceStats(0.0, 1.0), None, RunState.DONE,
        model=ModelInfo("m", "m", "/m", ModelType.GGUF, 1),
        engine={"way": "llama.cpp", "fallbacks": list(fallbacks)},
        notice=notice,
    )  # fmt: skip


@pytest.mark.parametrize("form", OF_RESULTS)
def test_every_form_tells_what_is_off(form):
    assert OFF in OF_RESULTS[form]([result(OFF)])
    assert OFF not in OF_RESULTS[form]([result()])


@pytest.mark.parametrize("form", ["text", "md"])
def test_figures_of_an_answer_that_was_gone_on_with_are_told_to_be_those_of_the_rest(form):
    going_on = result()
    going_on.prompt.continued = 3
    said = "3 characters were written before: the figures are those of the rest."
    assert said in OF_RESULTS[form]([going_on])
    assert said not in OF_RESULTS[form]([result()])


def test_each_sentence_has_a_line_beside_the_notice():
    text = texts.as_text([result(OFF, "Another.", notice="Look.")])
    assert text.endswith(f"--- Look.\n--- {OFF}\n--- Another.\n")
    page = texts.as_markdown([result(OFF, notice="Look.")])
    assert page.endswith(f"> Look.\n\n> {OFF}\n")


def test_columns_and_records_hold_way_and_fallbacks():
    (row,) = csv.DictReader(io.StringIO(tables.as_csv([result(OFF, "Another.")])))
    assert (row["way"], row["fallbacks"]) == ("llama.cpp", f"{OFF} Another.")
    assert row["content"] == "hello"
    (record,) = json.loads(tables.as_json([result()]))
    assert record["engine"] == {"way": "llama.cpp", "fallbacks": []}


def test_controls_in_a_sentence_are_shown_and_not_obeyed():
    assert "\\x1b[2J" in texts.as_text([result("\x1b[2J")])


def measured() -> InferenceResult:
    told = result(notice="It was shared.")
    told.stats.load_seconds, told.stats.files_cached, told.stats.cpu_share = 0.4, 1.0, 0.664
    return told


def test_every_form_tells_the_share_of_the_processor_and_how_the_files_were():
    for text in (texts.as_text([measured()]), texts.as_markdown([measured()])):
        assert "0.40 s, files 100 % cached" in text
        assert "66 %" in text
        assert "It was shared." in text
    (row,) = csv.DictReader(io.StringIO(tables.as_csv([measured()])))
    told = (row["cpu_share"], row["files_cached"], row["notice"])
    assert told == ("0.664", "1.0", "It was shared.")
    (record,) = json.loads(tables.as_json([measured()]))
    assert (record["stats"]["cpu_share"], record["stats"]["files_cached"]) == (0.664, 1.0)


def test_what_nobody_tells_is_not_said():
    assert "cached" not in texts.as_text([result()])
    assert "processor time" not in texts.as_text([result()])
    (row,) = csv.DictReader(io.StringIO(tables.as_csv([result()])))
    assert (row["cpu_share"], row["files_cached"], row["notice"]) == ("", "", "")


def thoughtful() -> InferenceResult:
    told = result()
    told.thinking = Thinking("So.\n\n\x1b[2JYes.", 7, 1.25)
    told.stats.time_to_first_answer_token = 2.5
    return told


def test_texts_tell_a_thought_apart_from_the_answer():
    text = texts.as_text([thoughtful()])
    assert "[thought for 1.25 s, 7 tokens]\n> So.\n>\n> \\x1b[2JYes.\n\nhello\n---" in text
    assert "thought for 1.25 s, 7 tokens, answer began at 2.50 s, load" in text
    page = texts.as_markdown([thoughtful()])
    thought = "> ```text\n> So.\n>\n> \\x1b[2JYes.\n> ```\n"
    assert f"> *Thought for 1.25 s, 7 tokens*\n>\n{thought}\n```text\nhello\n```\n" in page


def test_what_a_machine_reads_has_it_in_fields_of_its_own():
    (row,) = csv.DictReader(io.StringIO(tables.as_csv([thoughtful()])))
    told = (row["thinking"], row["thinking_tokens"], row["thinking_seconds"], row["content"])
    assert told == ("So.\n\n\x1b[2JYes.", "7", "1.25", "hello")
    assert row["time_to_first_answer_token"] == "2.5"
    for form in (json.loads(tables.as_json([thoughtful()]))[0], thoughtful().to_record()):
        assert form["thinking"] == {"text": "So.\n\n\x1b[2JYes.", "tokens": 7, "seconds": 1.25}
        assert form["content"] == "hello"


def test_thoughts_can_be_left_out_and_are_told_of_nobody_who_had_none():
    kept = thoughtful()
    for form in ("text", "md"):
        hidden = OF_RESULTS[form](words.without_thoughts([kept]))
        assert "hello" in hidden
        assert hidden == OF_RESULTS[form]([result()])
    assert kept.thinking is not None
    (row,) = csv.DictReader(io.StringIO(tables.as_csv([result()])))
    assert (row["thinking"], row["thinking_tokens"]) == ("", "")
