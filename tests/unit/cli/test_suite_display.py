"""How a suite is shown while it runs and when it has ended."""

from __future__ import annotations

import io
import json

import msgspec
import pytest
from kept_suites import item, kept_suite
from rich.console import Console

from comparator.cli.commands.suite.options import _end, exit_code, print_suite
from comparator.cli.commands.suite.run import with_usual
from comparator.cli.display import suite_table
from comparator.cli.display.suite_bar import SuiteBar, SuiteLines, figures_of, step_of
from comparator.evaluation.suite_progress import SuiteProgress
from comparator.storage.kept_suite import KeptSuite

STEPS = [
    SuiteProgress(0, 0, 40, 0, None, "loading"),
    *(SuiteProgress(done, 0, 40, 0, 60.0, "answering") for done in range(21)),
    SuiteProgress(20, 1, 40, 1, 30.0, "answering"),
    SuiteProgress(39, 1, 40, None, None, "grading"),
    SuiteProgress(39, 1, 40, None, 0.0, ""),
]


def test_a_log_has_each_step_and_some_of_the_way() -> None:
    stream = io.StringIO()
    with SuiteLines(stream, kept_suite()) as show:
        for step in STEPS:
            show(step)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "loading model-0: 0/40"
    assert lines[-1] == "grading: 40/40, 1 failed"
    assert "answering model-1: 21/40, 1 failed, about 30 s left" in lines
    assert len(lines) == 14  # a line for each tenth of a slot, and not for each answer


def test_a_terminal_has_a_bar_that_is_drawn_when_something_has_come() -> None:
    shown = io.StringIO()
    bar = SuiteBar(Console(file=shown, force_terminal=True, width=100), kept_suite())
    assert not bar._bar.live.auto_refresh  # nothing moves beside a model that writes
    with bar as show:
        for step in STEPS[:3]:
            show(step)
    assert "answering model-0" in shown.getvalue()
    assert "1/40, about 1 min 00 s left" in shown.getvalue()


def test_of_a_judge_it_is_told_how_far_it_is() -> None:
    assert step_of(kept_suite(), SuiteProgress(4, 0, 4, None, None, "judging", 40)) == (
        "judging, 40 % done"
    )


def test_one_prompt_is_no_prompts() -> None:
    assert suite_table.as_text(kept_suite([[True]])).splitlines()[0].endswith(": 1 prompt")


def test_figures_tell_no_time_where_none_is_known() -> None:
    assert figures_of(SuiteProgress(1, 0, 4)) == "1/4"
    assert figures_of(SuiteProgress(4, 0, 4, seconds_left=3.0)) == "4/4"


def test_the_table_has_each_slot_its_interval_and_the_pairs() -> None:
    text = suite_table.as_text(kept_suite([[True] * 9 + [None], [True] * 3 + [False] * 7]))
    first, second = [line for line in text.splitlines() if line.startswith("model-")][:2]
    assert first.split()[:3] == ["model-0", "9/10", "9/10"]
    assert "90%" in first
    assert " to " in first
    assert second.split()[:3] == ["model-1", "10/10", "3/10"]
    assert "1 not answered: It broke." in text
    assert "model-0 passes more than model-1: by 60 points" in text


def test_of_answers_at_once_it_is_said_that_no_speed_of_one_is_known() -> None:
    assert "no speed of one" in suite_table.as_text(kept_suite([[True, True]], batch=8))
    assert "no speed of one" not in suite_table.as_text(kept_suite([[True, True]]))


def test_a_suite_that_asserts_nothing_leads_to_the_answers() -> None:
    bare = kept_suite([[True], [True]], items=[item(0, assertions=[])])
    assert "comparator suite report" in suite_table.as_text(bare)
    assert "comparator suite report" not in suite_table.as_text(kept_suite([[True], [True]]))


def test_a_hostile_name_cannot_change_the_terminal() -> None:
    kept = kept_suite([[True], [True]], name="\x1b[2Jname")
    slots = [msgspec.structs.replace(slot, label="\x1b[31mred") for slot in kept.slots]
    text = suite_table.as_text(msgspec.structs.replace(kept, slots=slots))
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("kept", "code"),
    [
        (kept_suite([[True, True]]), 0),
        (kept_suite([[True, False]]), 3),
        (kept_suite([[True, None]]), 1),
        (kept_suite([[False, None]]), 1),
        (kept_suite([[True, ""]]), 1),
    ],
)
def test_the_exit_code_says_the_worst(kept: KeptSuite, code: int) -> None:
    assert exit_code(kept) == code


def test_built_in_suites_are_asked_greedily_unless_something_else_is_said() -> None:
    assert with_usual({}, 1) == {"do_sample": False, "max_tokens": 256}
    assert with_usual({"max_tokens": None}, 1) == {"do_sample": False, "max_tokens": None}
    assert with_usual({"temperature": 0.5}, 1) == {"temperature": 0.5, "max_tokens": 256}
    assert with_usual({}, 3) == {"max_tokens": 256}
    assert with_usual({"do_sample": False}, 3) == {"do_sample": False, "max_tokens": 256}


def test_a_suite_that_ended_by_some_trouble_is_no_success(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Such as a judge that is gone when all was answered and passed."""
    kept = msgspec.structs.replace(kept_suite([[True]]), state="interrupted")
    assert exit_code(kept) == 0
    assert _end(kept, "The judge cannot be asked.", False) == 1
    assert "interrupted after all answers" in capsys.readouterr().err


def test_names_that_are_no_text_do_not_break_its_json(capsys: pytest.CaptureFixture[str]) -> None:
    kept = kept_suite([[True]])
    model = {**kept.slots[0].model, "path": "/models/b\udcffd.gguf"}
    slots = [msgspec.structs.replace(kept.slots[0], model=model)]
    print_suite(msgspec.structs.replace(kept, slots=slots), as_json=True)
    assert json.loads(capsys.readouterr().out)["slots"][0]["model"]["path"] != model["path"]
