"""What a terminal shows of a run beside its answer."""

from __future__ import annotations

import io

from rich.console import Console

from comparator.cli.display.live import StateLines, side_by_side
from comparator.core.models import (
    InferenceResult,
    InferenceStats,
    ModelInfo,
    ModelType,
    RunState,
    Thinking,
)

OFF = "It is off: with it the engine died."


def result(state: RunState, *fallbacks: str) -> InferenceResult:
    return InferenceResult(
        "m", "hello", False, None, InferenceStats(0.0), None, state,
        model=ModelInfo("m", "m", "/m", ModelType.GGUF, 1),
        engine={"fallbacks": list(fallbacks)},
    )  # fmt: skip


def test_a_column_shows_what_is_off():
    shown = Console(file=io.StringIO(), width=80)
    shown.print(side_by_side([result(RunState.WRITING, OFF)], 80, 24))
    assert OFF in shown.file.getvalue()


def test_lines_tell_each_sentence_once():
    stream = io.StringIO()
    with StateLines(stream) as show:
        show([result(RunState.LOADING)])
        show([result(RunState.LOADING, OFF)])
        show([result(RunState.WRITING, OFF)])
    assert stream.getvalue() == f"m (gguf): loading\nm (gguf): {OFF}\nm (gguf): writing\n"


def test_a_notice_is_told_once_when_it_is_whole():
    running, done = result(RunState.WRITING), result(RunState.DONE)
    running.notice, done.notice, done.is_complete = "Part.", "Part. Whole.", True
    stream = io.StringIO()
    with StateLines(stream) as show:
        show([running])
        show([done])
        show([done])
    told = stream.getvalue().splitlines()
    assert told == ["m (gguf): writing", "m (gguf): done", "m (gguf): Part. Whole."]


def shown(*results: InferenceResult, with_thoughts: bool = True) -> str:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    console.print(side_by_side(results, 80, 24, with_thoughts))
    return console.file.getvalue()


def test_a_thought_is_dimmed_above_the_answer_or_not_shown():
    thoughtful = result(RunState.WRITING)
    thoughtful.thinking = Thinking("\x1b[2JSo.", 3, 1.5)
    text = shown(thoughtful)
    assert "\x1b[2m\\x1b[2JSo." in text
    assert text.index("So.") < text.index("hello")
    assert "\x1b[2mhello" not in text
    hidden = shown(thoughtful, with_thoughts=False)
    assert "So." not in hidden
    assert "hello" in hidden


def test_a_model_that_thinks_says_so_until_its_answer_begins():
    thoughtful = result(RunState.WRITING)
    thoughtful.thinking = Thinking("So.", 3, 1.5)
    assert "thinking, 1.50 s, 3 tokens" not in shown(thoughtful)
    thoughtful.content = ""
    for with_thoughts in (True, False):
        assert "thinking, 1.50 s, 3 tokens" in shown(thoughtful, with_thoughts=with_thoughts)
