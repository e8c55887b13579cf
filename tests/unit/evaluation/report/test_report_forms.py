"""The shape of every form of a suite's report, and that nothing in it can do harm."""

from __future__ import annotations

import csv
import io
import json
import re

import msgspec
import pytest
from kept_suites import HOSTILE, Assertion, hostile_suite, item, judged, kept_suite, suite_slot

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.report import FORMATS, ending_of, file_name, written
from comparator.evaluation.report.contents import Contents
from comparator.evaluation.report.markdown import suite_markdown
from comparator.evaluation.report.tables import COLUMNS
from comparator.evaluation.shown import shown
from comparator.storage.kept_suite import AssertionOutcome, Cell, Suite

SMALL = judged(kept_suite(((True, False, None), (True, True, ""))))


@pytest.mark.parametrize("ending", FORMATS)
def test_every_form_holds_questions_answers_and_outcomes(ending):
    text = written(SMALL, ending).decode()
    for said in ("Question 1?", "No: 0.1.0.", "It does not contain “yes”.", "It broke."):
        assert said in text
    assert text.endswith("\n")


@pytest.mark.parametrize("ending", FORMATS)
def test_every_form_takes_a_suite_that_has_only_begun(ending):
    assert written(kept_suite((("", ""), ("", ""))), ending)
    assert written(kept_suite(((None,),)), ending)


@pytest.mark.parametrize("ending", FORMATS)
def test_text_that_utf8_cannot_carry_is_replaced(ending):
    slots = [suite_slot(0, "na\udcffme")]
    kept = kept_suite(((True,),), items=[item(0, "wh\udcffy?")], slots=slots, name="\udcff")
    assert "\udcff" not in written(kept, ending).decode("utf-8")


@pytest.mark.parametrize("ending", [".html", ".md", ".csv", ".promptfoo.json"])
def test_no_form_for_others_tells_where_models_lie(ending):
    places = "/home/somebody/models/model-0.gguf"
    kept = kept_suite(((None, True),))
    first, rest = kept.cells[0], kept.cells[1:]
    told = {**first.record, "error": f"{places} could not be read."}
    cells = [msgspec.structs.replace(first, record=told), *rest]
    notes = Suite("small", kept.suite.items, [f"{places} was read."])
    text = written(msgspec.structs.replace(kept, cells=cells, suite=notes), ending).decode()
    assert "model-0.gguf could not be read." in text
    assert "somebody" not in text


@pytest.mark.parametrize("ending", FORMATS)
def test_a_reason_that_quotes_a_pattern_is_whole(ending):
    kept = kept_suite(((False,),))
    outcomes = [AssertionOutcome("regex", False, r"Nothing matches “^\s*12\W*$”.")]
    cells = [msgspec.structs.replace(kept.cells[0], assertions=outcomes)]
    text = written(msgspec.structs.replace(kept, cells=cells), ending).decode()
    assert r"^\s*12\W*$" in text.replace("\\\\", "\\").replace("\\*", "*").replace("\\$", "$")


def test_an_unknown_ending_is_refused_by_name():
    with pytest.raises(ConfigurationError, match=r"'report.docx'.*\.html, \.md"):
        ending_of("report.docx")
    with pytest.raises(ConfigurationError, match="docx"):
        written(SMALL, ".docx")
    assert ending_of("a.promptfoo.json") == ".promptfoo.json"
    assert ending_of("A.JSON") == ".json"
    assert written(SMALL, "csv") == written(SMALL, ".csv")


def test_a_files_name_is_safe():
    assert file_name(hostile_suite(), ".md") == "suite-b1.md"
    assert file_name(SMALL, ".html") == "suite-abcdef0123456789.html"


# ---- JSON, JSON lines, CSV ----


def test_json_is_what_suite_show_tells():
    assert json.loads(written(SMALL, ".json")) == json.loads(json.dumps(shown(SMALL)))


def test_json_lines_read_back_are_the_cells():
    lines = [json.loads(line) for line in written(SMALL, ".jsonl").decode().splitlines()]
    told = [
        msgspec.convert(
            {name: line[name] for name in Cell.__struct_fields__},
            Cell,
        )
        for line in lines
    ]
    assert told == SMALL.cells
    assert [line["id"] for line in lines] == ["q0", "q1", "q2"] * 2
    assert [line["passed"] for line in lines] == [True, False, None, True, True, None]
    assert lines[0]["configuration"] == SMALL.slots[0].configuration


def test_csv_read_back_has_a_row_for_each_answer():
    rows = list(csv.DictReader(io.StringIO(written(SMALL, ".csv").decode())))
    assert list(rows[0]) == list(COLUMNS)
    told = [(int(row["slot"]), int(row["prompt"]), row["state"], row["passed"]) for row in rows]
    assert told == [
        (0, 0, "done", "True"), (0, 1, "done", "False"), (0, 2, "failed", ""),
        (1, 0, "done", "True"), (1, 1, "done", "True"), (1, 2, "pending", ""),
    ]  # fmt: skip
    assert rows[0]["content"] == "Yes, it is."
    assert rows[1]["assertions"] == "icontains: failed: It does not contain “yes”."
    assert (rows[1]["assertions_passed"], rows[1]["assertions_told"]) == ("0", "1")
    assert rows[0]["tokens_per_second"] == "20.5"


def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe():
    for row in csv.DictReader(io.StringIO(written(hostile_suite(), ".csv").decode())):
        assert row["model"].startswith("'=")
        assert row["id"] == "<s>=1"
        for cell in row.values():
            assert not re.match("[=+@\t\r\n]", cell)


# ---- Markdown ----


def test_nothing_of_a_hostile_suite_is_markdown():
    outside, fence = [], ""
    for line in written(hostile_suite(), ".md").decode().split("\n"):
        bare = line.removeprefix("> ")
        if fence:
            fence = "" if bare == fence else fence
        elif found := re.match(r"`{3,}", bare):
            fence = found[0]
        else:
            outside.append(line)
    text = "\n".join(outside)
    assert not fence
    assert not re.search(r"(?<!\\)<", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "\u202e" not in text
    headings = {line.split(" ", 1)[1] for line in outside if re.match("#{1,2} ", line)}
    assert headings - {f"Suite {_first_line()}"} <= {
        "Summary", "Models in pairs", "Which to keep", "Judge", "Prompts and models", "Fair play",
        "Machine", "Settings", "Pass rates by tag", "Notes on the suite",
        "How to read the figures", "Prompts side by side",
    }  # fmt: skip


def _first_line() -> str:
    from comparator.comparison.exports.texts import escaped

    return escaped(HOSTILE)


def test_markdown_tells_what_it_left_out():
    fates = ([True] * 30, [False] * 30)
    short = suite_markdown(Contents.of(kept_suite(fates)), most_letters=3000)
    assert re.search(r"> 1\d more prompts left out here; the JSON lines have them\.", short)
    assert "### q29" not in short
    assert "| q29 |" in short  # what became of it is in the table nevertheless


# ---- promptfoo ----


def test_promptfoo_has_the_fields_that_its_viewer_reads():
    fates = (((True, False),) * 2, ((None, True), (True, "")))
    asked = [
        item(0, assertions=[Assertion("icontains", "yes"), Assertion("similar", "yes", 0.8)]),
        item(1),
    ]
    file = json.loads(written(kept_suite(fates, items=asked), ".promptfoo.json"))
    assert file.keys() == {"evalId", "results", "config", "shareableUrl", "vars", "metadata"}
    results = file["results"]
    assert results["version"] == 3
    assert [one["provider"] for one in results["prompts"]] == ["model-0", "model-1"]
    assert file["config"]["evaluateOptions"] == {"repeat": 2}
    places = [(one["promptIdx"], one["testIdx"]) for one in results["results"]]
    assert places == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2)]
    passed, failed, crashed = (results["results"][number] for number in (0, 1, 4))
    assert (passed["success"], passed["score"], passed["failureReason"]) == (True, 1, 0)
    assert (failed["success"], failed["score"], failed["failureReason"]) == (False, 0, 1)
    assert (crashed["success"], crashed["error"], crashed["failureReason"]) == (
        False, "It broke.", 2,
    )  # fmt: skip
    grading = failed["gradingResult"]
    assert (grading["pass"], grading["reason"]) == (False, "It does not contain “yes”.")
    parts = grading["componentResults"]
    assert [part["assertion"]["type"] for part in parts] == ["icontains", "similar"]
    assert parts[1]["assertion"] == {"type": "similar", "value": "yes", "threshold": 0.8}
    assert crashed["gradingResult"] is None
    told = results["prompts"][0]["metrics"]
    assert (told["testPassCount"], told["testFailCount"], told["testErrorCount"]) == (2, 2, 0)
    assert (told["assertPassCount"], told["assertFailCount"]) == (3, 3)
    stats = results["stats"]
    assert (stats["successes"], stats["failures"], stats["errors"]) == (4, 2, 1)
    assert [test["assert"][0]["type"] for test in file["config"]["tests"]] == ["icontains"] * 2


def test_what_a_judge_could_not_tell_neither_passes_nor_fails_in_promptfoo():
    kept = kept_suite(((True,),))
    outcomes = [AssertionOutcome("llm-rubric", None, "It was not steady.")]
    cells = [msgspec.structs.replace(kept.cells[0], assertions=outcomes)]
    file = json.loads(written(msgspec.structs.replace(kept, cells=cells), ".promptfoo.json"))
    (one,) = file["results"]["results"]
    assert one["success"]
    assert one["gradingResult"]["componentResults"] == []
    assert one["metadata"]["notTold"] == ["llm-rubric"]


@pytest.mark.parametrize("ending", [".html", ".md"])
def test_settings_are_told_and_pass_rates_by_tag(ending):
    slots = [suite_slot(0, config={"lora": ["/home/somebody/poet.gguf:0.5"], "top_k": 13})]
    asked = [item(0, tags=["facts"]), item(1, tags=["facts"]), item(2, tags=["form"])]
    text = written(kept_suite(((True, False, True),), items=asked, slots=slots), ending).decode()
    for said in ("top_k = 13", "poet.gguf", "Pass rates by tag", "facts", "form"):
        assert said in text
    assert re.search(r"50 % \(\d+ to \d+ %\)", text)
    assert "somebody" not in text
    untagged = written(kept_suite(((True,),)), ending).decode()
    assert "Pass rates by tag" not in untagged


@pytest.mark.parametrize("ending", FORMATS)
def test_every_form_takes_a_suite_as_visitors_see_it(ending):
    kept = kept_suite(((True, None),))
    slots = [msgspec.structs.replace(slot, model={**slot.model, "path": None, "file": "a.gguf"})
             for slot in kept.slots]  # fmt: skip
    cells = [
        msgspec.structs.replace(cell, record={**cell.record, "model": slots[0].model})
        for cell in kept.cells
    ]
    seen = msgspec.structs.replace(kept, slots=slots, cells=cells)
    assert "somebody" not in written(seen, ending).decode()
