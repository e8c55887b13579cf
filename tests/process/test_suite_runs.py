"""Runs of suites: one load a model, whatever becomes of a cell, and never a cell twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from suite_runs import answers, played, slots_of, suite_of

from comparator.comparison import results
from comparator.comparison.disturbance import Beside, Disturbance
from comparator.comparison.request import Slot
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelConfig, ModelInfo, ModelType
from comparator.evaluation import resuming
from comparator.evaluation.cells import AskedCell, CellFold
from comparator.evaluation.disturbed_cells import MEASURED_AGAIN, is_disturbed
from comparator.evaluation.shown import shown
from comparator.evaluation.slot_run import AnswerBatch, SlotRun
from comparator.evaluation.suite_run import SuiteRun
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.kept_suite import Assertion, Suite
from comparator.storage.suites import Suites
from runners import protocol

pytestmark = pytest.mark.process


@pytest.fixture
def engine() -> Iterator[InferenceEngine]:
    engine = InferenceEngine()
    yield engine
    engine.cleanup_resources()


@pytest.fixture
def mended_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in has its fault in its file, so that mending it makes another file."""
    monkeypatch.setattr(resuming, "change_of", lambda *_: "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "suites.sqlite3"


def test_each_model_is_loaded_once_for_all_its_prompts_and_repeats(echo_model, engine, path):
    slots = slots_of(echo_model("a"), echo_model("b", text="no"), seed=5)
    suite = played(engine, path, suite_of("one two", "three"), slots, repeats=2)
    kept = suite.to_end(engine)
    assert kept.state == "done"
    assert answers(kept, 0) == [("done", "one two")] * 2 + [("done", "three")] * 2
    assert answers(kept, 1) == [("done", "no")] * 4
    assert [cell.passed for cell in kept.cells] == [True] * 4 + [False] * 4
    assert [slot.summary["load_seconds"] > 0 for slot in kept.slots] == [True, True]
    loads = {(cell.slot, cell.record["stats"]["load_seconds"]) for cell in kept.cells}
    assert len(loads) == 2  # one load a model
    seeds = [cell.record["config"]["seed"] for cell in kept.cells]
    assert seeds[0] == seeds[2] == seeds[4] == 5
    assert seeds[1] == seeds[3] == seeds[5] != 5
    assert kept == suite.run.kept()


def test_a_model_that_is_another_when_its_turn_comes_is_not_asked(echo_model, engine, path):
    first, second = echo_model("a"), echo_model("b")
    suite = played(engine, path, suite_of("one", "two"), slots_of(first, second))

    def change() -> None:
        Path(second.path).write_text('{"text": "of another"}')

    kept = suite.to_end(engine, on_news=change)
    assert kept.state == "interrupted"
    assert [state for state, _ in answers(kept, 0)] == ["done", "done"]
    assert [state for state, _ in answers(kept, 1)] == ["pending", "pending"]
    assert "b is not asked on" in suite.run.trouble
    assert "is another now" in suite.run.trouble


def test_times_of_an_answer_count_from_its_own_begin(echo_model, engine, path):
    slots = slots_of(echo_model(tokens_per_second=100))
    kept = played(engine, path, suite_of("a b c d e", "f g h i j"), slots).to_end(engine)
    first, second = (cell.record["stats"] for cell in kept.cells)
    assert second["start_time"] >= first["end_time"] - 0.01
    assert second["time_to_first_token"] < second["duration"]
    aggregate = kept.slots[0].summary["aggregate_tokens_per_second"]
    assert 0 < aggregate < 100


def test_a_prompt_that_fits_nowhere_is_refused_alone(echo_model, engine, path):
    roomy, narrow = slots_of(echo_model("a"), n_ctx=300) + slots_of(echo_model("b"), n_ctx=100)
    suite = suite_of("one", " ".join(["many"] * 200), "three")
    kept = played(engine, path, suite, [roomy, narrow]).to_end(engine)
    assert kept.state == "done"
    assert [state for state, _ in answers(kept, 0)] == ["done"] * 3
    assert [state for state, _ in answers(kept, 1)] == ["done", "failed", "done"]
    failed = kept.cells[4].record
    assert failed["error_kind"] == "refused"
    assert "context" in failed["error"]


def test_a_prompt_that_kills_its_child_fails_alone_and_is_not_asked_twice(echo_model, engine, path):
    slots = slots_of(echo_model(fault="sigsegv", fault_after=1), echo_model("b"))
    suite = played(engine, path, suite_of("one", "two deadly", "three", "four"), slots)
    kept = suite.to_end(engine)
    assert kept.state == "done"
    assert answers(kept, 0) == [
        ("done", "one"),
        ("failed", "two "),
        ("done", "three"),
        ("done", "four"),
    ]
    assert kept.cells[1].record["error_kind"] == "crashed"
    assert [state for state, _ in answers(kept, 1)] == ["done"] * 4


def test_a_prompt_that_hangs_is_timed_out_and_the_rest_goes_on(echo_model, path):
    from runners.process import Deadlines

    engine = InferenceEngine(deadlines=Deadlines(between_tokens_seconds=2))
    try:
        slots = slots_of(echo_model(fault="hang", fault_after=1))
        kept = played(engine, path, suite_of("one", "two hangs", "three"), slots).to_end(engine)
    finally:
        engine.cleanup_resources()
    assert [state for state, _ in answers(kept)] == ["done", "failed", "done"]
    assert kept.cells[1].record["error_kind"] == "timeout"


def test_a_model_that_cannot_be_loaded_fails_all_its_cells_and_the_others_answer(
    echo_model, engine, path
):
    slots = slots_of(echo_model("a", fault="raise", fault_stage="load"), echo_model("b"))
    kept = played(engine, path, suite_of("one", "two"), slots).to_end(engine)
    assert kept.state == "done"
    assert [state for state, _ in answers(kept, 0)] == ["failed", "failed"]
    assert all(cell.record["error"] for cell in kept.cells[:2])
    assert [state for state, _ in answers(kept, 1)] == ["done", "done"]


def test_a_model_that_dies_at_every_prompt_is_not_loaded_for_ever(echo_model, engine, path):
    slots = slots_of(echo_model(fault="sigkill", fault_after=0))
    kept = played(engine, path, suite_of(*"abcdefgh"), slots).to_end(engine)
    assert [state for state, _ in answers(kept)] == ["failed"] * 8
    kinds = [cell.record["error_kind"] for cell in kept.cells]
    assert kinds.count("refused") >= 4  # after some crashes in a row nobody loads it again
    assert "in a row" in kept.cells[-1].record["error"]


@pytest.mark.usefixtures("mended_is_the_same")
def test_a_stopped_suite_goes_on_where_it_ended(echo_model, engine, path, wait_until):
    slots = slots_of(echo_model(fault="hang", fault_after=1))
    suite = played(engine, path, suite_of("a", "b", "c hangs", "d"), slots)
    run = suite.begin(engine)
    assert wait_until(lambda: run.progress().done == 2)
    run.stop()
    assert run.join(60)
    kept = suite.stored()
    assert kept.state == "interrupted"
    done = {cell.key: cell for cell in kept.cells if cell.state == "done"}
    assert len(done) == 2
    echo_model()  # the same file, which is well now
    again = suite.to_end(engine)
    assert again.state == "done"
    assert {key: cell for key, cell in suite.run._cells.items() if key in done} == done
    assert all(cell.state == "done" for cell in again.cells)


def test_an_engine_that_ends_interrupts_the_suite(echo_model, engine, path, wait_until):
    suite = played(
        engine,
        path,
        suite_of("one", "two hangs"),
        slots_of(echo_model(fault="hang", fault_after=1)),
    )
    run = suite.begin(engine)
    assert wait_until(lambda: run.progress().done == 1)
    engine.cleanup_resources()
    assert run.join(60)
    assert [cell.state for cell in suite.stored().cells] == ["done", "pending"]
    assert suite.stored().state == "interrupted"


def test_an_engine_that_ends_begins_with_no_further_model(echo_model, engine, path, wait_until):
    slots = slots_of(echo_model("a", fault="hang", fault_after=0), echo_model("b"))
    suite = played(engine, path, suite_of("one"), slots)
    run = suite.begin(engine)
    assert wait_until(lambda: run.progress().stage == "answering")  # it hangs there
    engine.cleanup_resources()
    assert run.join(60)
    assert [cell.state for cell in suite.stored().cells] == ["pending", "pending"]
    assert suite.stored().state == "interrupted"


def test_a_suite_that_is_stopped_as_its_last_answer_ends_is_whole(echo_model, engine, path):
    suite = played(engine, path, suite_of("one"), slots_of(echo_model()))

    def stop_at_the_last() -> None:
        if suite.run.progress().done == 1:
            suite.run.stop()

    suite.run = SuiteRun(
        engine, suite.store, suite.kept, on_news=stop_at_the_last, slots=suite.slots
    )
    assert suite.run.start().join(120)
    assert suite.stored().state == "done"


def test_a_grader_that_cannot_be_closed_does_not_hold_the_suite(
    echo_model, engine, path, monkeypatch
):
    def close(_grading: object) -> None:
        raise OSError("It does not close.")

    monkeypatch.setattr("comparator.evaluation.grading.Grading.close", close)
    suite = played(engine, path, suite_of("one"), slots_of(echo_model()))
    assert suite.to_end(engine).state == "done"
    suite.store.claim(suite.kept.id).release()


def test_two_runs_of_one_suite_exclude_each_other(echo_model, engine, path, wait_until):
    slots = slots_of(echo_model(fault="hang", fault_after=0))
    suite = played(engine, path, suite_of("a"), slots)
    run = suite.begin(engine)
    with pytest.raises(ConfigurationError, match="is being run by process"):
        SuiteRun(engine, Suites(path), suite.kept, slots=suite.slots).start()
    run.stop()
    assert run.join(60)


@pytest.mark.usefixtures("mended_is_the_same")
def test_failed_cells_stay_unless_they_are_asked_for(echo_model, engine, path):
    slots = slots_of(echo_model(fault="raise", fault_after=1))
    suite = played(engine, path, suite_of("one", "two two"), slots)
    assert answers(suite.to_end(engine))[1] == ("failed", "two ")
    echo_model()  # the same file, which is well now
    assert answers(suite.to_end(engine))[1] == ("failed", "two ")
    assert answers(suite.to_end(engine, retries_failed=True))[1] == ("done", "two two")


def test_a_full_disk_ends_the_suite_with_a_sentence_and_it_goes_on_later(
    echo_model, engine, path, monkeypatch
):
    suite = played(engine, path, suite_of("one", "two", "three"), slots_of(echo_model()))
    put, left = suite.store.add_cells, [1]

    def add(name, cells):
        if not left[0]:
            suite.store._store._trouble = "database or disk is full"
            return False
        left[0] -= 1
        return put(name, cells)

    monkeypatch.setattr(suite.store, "add_cells", add)
    kept = suite.to_end(engine)
    assert [cell.state for cell in kept.cells] == ["done", "pending", "pending"]
    assert kept.state == "interrupted"
    assert "disk is full" in suite.run.trouble
    assert [cell.state for cell in suite.run.kept().cells] == ["done", "pending", "pending"]
    monkeypatch.undo()
    assert [state for state, _ in answers(suite.to_end(engine))] == ["done"] * 3


def test_what_needs_a_process_is_graded_when_the_model_has_gone(echo_model, engine, path):
    asked = suite_of("one two", "three")
    told = [Assertion("contains", "one"), Assertion("python", "len(output) < 6")]
    items = [msgspec.structs.replace(item, assertions=told) for item in asked.items]
    suite = played(engine, path, Suite("graded", items), slots_of(echo_model()))
    kept = suite.to_end(engine)
    found = [[one.passed for one in cell.assertions] for cell in kept.cells]
    assert found == [[True, False], [False, True]]


def test_what_was_answered_and_not_graded_is_graded_when_it_goes_on(echo_model, engine, path):
    suite = played(engine, path, suite_of("one", "two"), slots_of(echo_model()))
    kept = suite.to_end(engine)
    bare = [msgspec.structs.replace(cell, assertions=[]) for cell in kept.cells]
    suite.store.add_cells(kept.id, bare)
    suite.store.update(msgspec.structs.replace(kept, state="running"))
    assert suite.stored().state == "interrupted"
    assert suite.to_end(engine) == kept


def test_a_judge_is_asked_at_the_end_and_once(echo_model, engine, path):
    judge, *slots = slots_of(
        echo_model("judge", text="A", tokens=1), echo_model("a"), echo_model("b", text="no")
    )
    suite = played(engine, path, suite_of("one", "two"), slots, judge=judge)
    kept = suite.to_end(engine)
    assert kept.state == "done"
    assert kept.judge["is_refused"]  # it says A in both orders, which a coin does as well
    assert [(one.a, one.b, one.winner) for one in kept.verdicts] == [(0, 1, None)] * 2
    assert suite.to_end(engine).judge == kept.judge  # and it is not asked again


def test_of_several_at_once_that_died_each_is_asked_once_more_alone(engine, monkeypatch):
    slot = Slot(ModelInfo("m", "m", "", ModelType.ECHO, 0), ModelConfig(seed=1))
    asked = [AskedCell((0, n, 0), Conversation.of(f"say {n}"), 1) for n in range(6)]
    children, cells = [], []
    run = SlotRun(
        engine,
        engine.request("x", [slot.model]),
        AnswerBatch(3),
        cells.append,
        lambda: None,
        lambda: False,
    )

    def child(asked_of_it, batch):
        """Answer all but prompt 2, at which a child dies, with what is answered beside it."""
        numbers = [one.key[1] for one in asked_of_it]
        children.append((numbers, batch.size))
        fold = CellFold(slot, asked_of_it, batch.size > 1)
        fold.take(protocol.Loaded(1.0, 2048, "cpu"), Beside())
        for begin in range(0, len(numbers), batch.size):
            places = range(begin, min(begin + batch.size, len(numbers)))
            for place in places:
                fold.take(protocol.Prompted(1.0, 1, "p", "none", answer=place), Beside())
            if any(numbers[place] == 2 for place in places):
                final = protocol.Crashed(-11, "It died.", "generate", "")
                return SimpleNamespace(fold=fold, final=final, ended_at=2.0)
            for place in places:
                cells.append(fold.take(protocol.Answered("stop", 0, 1.5, answer=place), Beside()))
        return SimpleNamespace(fold=fold, final=protocol.Finished(2.0), ended_at=2.0)

    monkeypatch.setattr(run, "_run", child)
    run.ask(asked)
    assert children == [([0, 1, 2, 3, 4, 5], 3), ([0, 1, 2], 1), ([3, 4, 5], 3)]
    assert sorted((cell.prompt, cell.state) for cell in cells) == [
        *((n, "done") for n in (0, 1)),
        (2, "failed"),
        *((n, "done") for n in (3, 4, 5)),
    ]


def test_answers_that_a_child_did_not_give_before_it_ended_well_stay_pending(engine, monkeypatch):
    """Somebody ended it by a signal: what was cut short, or never begun, is no answer."""
    slot = Slot(ModelInfo("m", "m", "", ModelType.ECHO, 0), ModelConfig(seed=1))
    asked = [AskedCell((0, n, 0), Conversation.of(f"say {n}"), 1) for n in range(3)]
    cells = []
    request = engine.request("x", [slot.model])
    run = SlotRun(engine, request, AnswerBatch(), cells.append, lambda: None, lambda: False)

    def child(asked_of_it, batch):
        fold = CellFold(slot, asked_of_it)
        fold.take(protocol.Loaded(1.0, 2048, "cpu"), Beside())
        cells.append(fold.take(protocol.Answered("stop", 0, 1.5), Beside()))
        assert fold.take(protocol.Answered("cancelled", 0, 2.0, answer=1), Beside()) is None
        return SimpleNamespace(fold=fold, final=protocol.Finished(2.0), ended_at=2.0)

    monkeypatch.setattr(run, "_run", child)
    run.ask(asked)
    assert [cell.prompt for cell in cells] == [0]
    assert run.was_stopped


@pytest.mark.model
def test_a_real_model_writes_several_at_once_and_no_speed_of_one_is_told(
    starter_models, engine, path
):
    model = ModelInfo("", "q2_k", starter_models["gguf_q2_k"], ModelType.GGUF, 88_000_000)
    slots = slots_of(model, max_tokens=4, n_ctx=256, seed=3)
    suite = played(engine, path, suite_of("Say one.", "Say two."), slots, repeats=2, batch=4)
    kept = suite.to_end(engine)
    assert [cell.state for cell in kept.cells] == ["done"] * 4
    assert all(1 < cell.batch <= 4 for cell in kept.cells)
    stats = [cell.record["stats"] for cell in kept.cells]
    assert [one["tokens_per_second"] for one in stats] == [None] * 4
    assert all(0 < one["token_count"] <= 4 for one in stats)
    whole = kept.slots[0].summary["aggregate_tokens_per_second"]
    assert (whole or 0) > 0 or any(map(is_disturbed, kept.cells))  # by a neighbour of this test
    assert kept.slots[0].summary["peak_bytes"] > 0
    assert engine.measurements.of(model) is None  # that memory is not one answer's


def test_what_it_shows_has_the_shape_that_others_read(echo_model, engine, path):
    slots = slots_of(echo_model("a"), echo_model("b", text="no"))
    told = shown(played(engine, path, suite_of("one", "two"), slots).to_end(engine))
    assert (told["state"], told["prompts"], told["repeats"]) == ("done", 2, 1)
    assert [slot["model"]["name"] for slot in told["slots"]] == ["a", "b"]
    assert all(len(slot["configuration"]) == 64 for slot in told["slots"])
    cell = told["cells"][2]
    assert (cell["slot"], cell["prompt"], cell["repeat"]) == (1, 0, 0)
    assert (cell["state"], cell["batch"]) == ("done", 1)
    assert cell["assertions"][0]["passed"] is False
    assert cell["assertions"][0]["reason"]
    assert [line["passed"] for line in told["summary"]] == [2, 0]
    assert told["pairs"][0]["flips"] == [0, 1]


def test_what_was_disturbed_is_asked_once_more(echo_model, engine, path, monkeypatch):
    """The answers are judged here in their order: the second one is disturbed the first time."""
    judged = []

    def judge(_shares, _beside=None):
        judged.append(len(judged))
        return Disturbance(("decode",), {}, "It was slow.") if judged[-1] == 1 else Disturbance()

    monkeypatch.setattr(results, "disturbance", judge)
    suite = played(engine, path, suite_of("one", "two", "three"), slots_of(echo_model("a")))
    kept = suite.to_end(engine)
    assert kept.state == "done"
    assert answers(kept) == [("done", "one"), ("done", "two"), ("done", "three")]
    assert [cell.record["stats"]["disturbed"] for cell in kept.cells] == [[], [], []]
    assert [MEASURED_AGAIN in (cell.record["notice"] or "") for cell in kept.cells] == [
        *(False, True, False)
    ]
    assert all(cell.passed for cell in kept.cells)
