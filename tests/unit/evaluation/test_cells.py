"""From the messages of one child to cells: each answer's own times, and whose fault an end is."""

from __future__ import annotations

import pytest

from comparator.comparison.disturbance import Beside
from comparator.comparison.request import Advice, Slot
from comparator.core.conversation import Conversation
from comparator.core.models import ModelConfig, ModelInfo, ModelType
from comparator.evaluation.cells import AskedCell, CellFold
from comparator.storage.kept_suite import Cell
from runners import protocol

MODEL = ModelInfo("m", "Model", "/models/m.gguf", ModelType.GGUF, 1)


def fold_of(*questions: str, is_batched: bool = False) -> CellFold:
    asked = [
        AskedCell((0, number, 0), Conversation.of(question), 10 + number)
        for number, question in enumerate(questions)
    ]
    fold = CellFold(Slot(MODEL, ModelConfig()), asked, is_batched)
    fold.begin(1000.0, Advice(start_seconds=3.0))
    return fold


def told(fold: CellFold, *messages: protocol.Message) -> list[Cell]:
    cells = [fold.take(message, Beside()) for message in messages]
    return [cell for cell in cells if cell is not None]


def loaded(seconds: float = 2.0) -> protocol.Loaded:
    return protocol.Loaded(seconds, 2048, "cpu", engine="llama.cpp")


def answer(number: int, begin: float, *words: str, batch: int = 1) -> list[protocol.Message]:
    tokens = [
        protocol.Token(word, place, begin + place, number) for place, word in enumerate(words, 1)
    ]
    end = protocol.Answered("stop", len(words), begin + len(words), answer=number, batch=batch)
    return [protocol.Prompted(begin, 5, f"prompt {number}", "gguf", answer=number), *tokens, end]


def test_each_answers_times_count_from_its_own_begin() -> None:
    fold = fold_of("one", "two")
    first, second = told(
        fold,
        protocol.Hello(0.1),
        loaded(2.0),
        *answer(0, 2.5, "a ", "b ", "c"),
        *answer(1, 6.0, "d ", "e"),
    )
    assert (first.state, first.key, second.key) == ("done", (0, 0, 0), (0, 1, 0))
    stats = [cell.record["stats"] for cell in (first, second) if cell.record]
    assert [one["time_to_first_token"] for one in stats] == [1.5, 1.5]  # 3.5 - 2.0, 7.0 - 5.5
    assert [one["tokens_per_second"] for one in stats] == [1.0, 1.0]
    assert [one["load_seconds"] for one in stats] == [2.0, 2.0]
    assert [one["duration"] for one in stats] == [3.5, 2.5]
    assert stats[1]["start_time"] - stats[0]["start_time"] == pytest.approx(3.5, abs=0.1)
    assert [one["start_seconds"] for one in stats] == [3.0, 0.0]  # its engine was warm then
    assert [cell.record["config"]["seed"] for cell in (first, second) if cell.record] == [10, 11]
    assert [cell.record["content"] for cell in (first, second) if cell.record] == ["a b c", "d e"]


def test_answers_of_a_batch_have_no_speed_of_one() -> None:
    fold = fold_of("one", "two", is_batched=True)
    mixed = zip(answer(0, 2.5, "a ", "b", batch=2), answer(1, 2.5, "c ", "d", batch=2), strict=True)
    cells = told(fold, protocol.Hello(0.1), loaded(), *(one for pair in mixed for one in pair))
    assert [cell.batch for cell in cells] == [2, 2]
    for cell, content in zip(cells, ["a b", "c d"], strict=True):
        assert cell.record
        stats = cell.record["stats"]
        assert (cell.record["batch"], cell.record["content"]) == (2, content)
        assert stats["tokens_per_second"] is stats["characters_per_second"] is None
        assert stats["time_to_first_token"] is stats["time_to_first_answer_token"] is None
        assert stats["token_count"] == 2


def test_a_conversation_that_is_refused_alone_is_a_failed_cell() -> None:
    fold = fold_of("one", "two")
    refused = protocol.Answered("error", 0, 2.1, "", 0, "It is too long.", "refused")
    failed, done = told(fold, protocol.Hello(0.1), loaded(), refused, *answer(1, 2.2, "b"))
    assert failed.record
    assert (failed.state, failed.record["error"]) == ("failed", "It is too long.")
    assert failed.record["error_kind"] == "refused"
    assert done.state == "done"
    assert fold.left == []


def test_what_was_stopped_is_no_cell() -> None:
    fold = fold_of("one", "two")
    begun = [protocol.Prompted(2.5, 5, "p", "gguf"), protocol.Token("a", 1, 3.0)]
    stopped = protocol.Answered("cancelled", 1, 3.5)
    assert told(fold, protocol.Hello(0.1), loaded(), *begun, stopped) == []
    assert fold.left == [0, 1]


def test_who_was_being_answered_when_a_child_died_is_known() -> None:
    fold = fold_of("one", "two", "three", is_batched=True)
    begun = [protocol.Prompted(2.5, 5, "p", "gguf", answer=n) for n in (1, 2)]
    assert not fold.is_loaded
    told(fold, protocol.Hello(0.1), loaded(), *answer(0, 2.1, "a", batch=2), *begun)
    assert (fold.is_loaded, fold.under_way, fold.left) == (True, [1, 2], [1, 2])
    crash = protocol.Crashed(-11, "It died.", "generate", "")
    cell = fold.failed(1, crash, 1009.0)
    assert cell.record
    assert (cell.state, cell.key) == ("failed", (0, 1, 0))
    assert cell.record["error"] == "It died."
    assert fold.left == [2]


def test_a_child_that_begins_anew_begins_its_answer_anew() -> None:
    fold = fold_of("one")
    told(fold, protocol.Hello(0.1), loaded(), protocol.Prompted(2.5, 5, "p", "gguf"))
    assert fold.under_way == [0]
    (cell,) = told(
        fold,
        protocol.FellBack(("Again with safe settings.",), again=True),
        protocol.Hello(4.0),
        loaded(5.0),
        *answer(0, 5.5, "a"),
    )
    assert cell.record
    assert cell.record["stats"]["load_seconds"] == 5.0


def test_more_answers_than_were_asked_are_none() -> None:
    fold = fold_of("one")
    assert (
        len(told(fold, protocol.Hello(0.1), loaded(), *answer(0, 2, "a"), *answer(0, 9, "b"))) == 1
    )
    assert told(fold, *answer(7, 12, "c")) == []
