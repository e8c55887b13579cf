"""A comparison knows executors and nothing else that runs a model."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from comparator.comparison.comparison import Comparison
from comparator.comparison.request import Advice, Files, Request, Slot
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import ModelInfo, ModelType, RunState
from comparator.core.quiet import quiet
from runners import protocol
from runners.executor import Deliver, Executor, Receipt


class Scripted:
    """An executor without a process: it tells what the test says."""

    def __init__(self) -> None:
        self.receipt: Receipt | None = None
        self.log_tail = ""
        self.evaded_crash: str | None = None
        self.pid: int | None = None
        self.verdict: dict[str, Any] = {}
        self.assignments: list[protocol.Assignment] = []
        self.stops = 0

    def start(self, assignment: protocol.Assignment, deliver: Deliver) -> None:
        self.assignments.append(assignment)
        self._deliver = deliver

    def stop(self) -> None:
        self.stops += 1
        self._deliver(protocol.Cancelled("generate"))

    def join(self, timeout_seconds: float | None = None) -> bool:
        return True

    def tell(self, *messages: protocol.Message) -> None:
        for message in messages:
            self._deliver(message)


def comparison_of(
    names: str,
    together: bool = False,
    conversation: Conversation | None = None,
    files: Files = Files.AS_THEY_ARE,
) -> tuple[Comparison, list[Scripted]]:
    executors: list[Scripted] = []

    def executor_for(_assignment: protocol.Assignment) -> Executor:
        executors.append(Scripted())
        return executors[-1]

    models = [ModelInfo(name, name, "/nowhere", ModelType.CUSTOM, 0) for name in names]
    slots = [Slot(model, ModelConfig(system_prompt=model.name)) for model in models]
    request = Request(conversation or Conversation.of("hi"), slots, together, files=files)
    comparison = Comparison(request, executor_for=executor_for).start()
    assert comparison.join(10)  # the first is started in a thread
    return comparison, executors


class TestTheStartOfAnEngine:
    """What has to be waited for is told, and is no part of a run."""

    def comparison(self, advise, is_warm) -> tuple[Comparison, Scripted]:
        executor = Scripted()
        slot = Slot(ModelInfo("a", "a", "/nowhere", ModelType.CUSTOM, 0), ModelConfig())
        request = Request(Conversation.of("hi"), [slot])
        comparison = Comparison(request, executor_for=lambda _assignment: executor)
        comparison.advise, comparison.is_warm = advise, is_warm
        return comparison, executor

    def test_a_column_says_that_its_engine_starts_and_how_long_that_took(self) -> None:
        is_warm = threading.Event()

        def wait(_slot: Slot, _stop: object) -> Advice:
            assert is_warm.wait(10)
            return Advice(start_seconds=2.5)

        comparison, executor = self.comparison(wait, lambda _slot: False)
        comparison.start()
        assert comparison.take_one(10) == 0
        assert comparison.result(0).state is RunState.STARTING
        assert executor.assignments == []
        is_warm.set()
        assert comparison.join(10)
        comparison.drain()
        assert comparison.result(0).state is RunState.LOADING
        assert comparison.result(0).stats.start_seconds == 2.5
        before = comparison.result(0).stats.start_time
        executor.tell(*ANSWER)
        comparison.drain()
        assert comparison.result(0).stats.start_time == before
        assert comparison.result(0).stats.start_seconds == 2.5

    def test_a_warm_one_is_not_told_of(self) -> None:
        comparison, executor = self.comparison(lambda *_: Advice(), lambda _slot: True)
        comparison.start()
        assert comparison.take_one(10) == 0
        assert comparison.result(0).state is RunState.LOADING
        assert comparison.result(0).stats.start_seconds == 0.0
        executor.tell(*ANSWER)

    def test_a_stop_ends_the_wait_and_nothing_starts(self) -> None:
        def wait(_slot: Slot, should_stop: Callable[[], bool]) -> Advice:
            while not should_stop():
                threading.Event().wait(0.005)
            return Advice()

        comparison, executor = self.comparison(wait, lambda _slot: False)
        ended: list[bool] = []
        comparison.on_end = lambda: ended.append(True)
        comparison.start()
        assert comparison.take_one(10) == 0
        comparison.stop()
        assert comparison.wait_until_ended(10)
        comparison.drain()
        assert comparison.result(0).state is RunState.STOPPED
        assert executor.assignments == []
        assert ended == [True]

    def test_what_worked_beside_a_run_is_in_its_receipt(self) -> None:
        comparison, executor = self.comparison(lambda *_: Advice(), lambda _slot: True)
        executor.receipt = Receipt(1, 1, 1)
        with quiet.beside("a download"):
            comparison.start()
            assert comparison.join(10)
        executor.tell(*ANSWER)
        comparison.drain()
        assert comparison.result(0).receipt["background_work"] == ["a download"]


class TestWhatElseThereWas:
    """What ran beside a run, and how its files were, is in its record."""

    def test_a_run_of_another_comparison_is_told_from_the_own(self) -> None:
        one, (executor, second) = comparison_of("ab", together=True)
        other, (stranger,) = comparison_of("c")
        disturbed = protocol.Answered(
            "stop", 1, 1.0, decode=protocol.ProcessorTime(5.0, 5.0, 0.0, 0.0, 5.0, 10.0)
        )
        for run in (executor, second, stranger):
            run.receipt = Receipt(1, 1, 1)
            run.tell(disturbed, protocol.Finished(1.1))
        one.drain()
        other.drain()
        assert "at once with another model" in (one.result(0).notice or "")
        assert "Another comparison here took 50 %" in (other.result(0).notice or "")

    def test_files_are_prepared_before_each_run_and_not_read_ahead_where_they_are_to_be_cold(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[str, Files]] = []
        ahead: list[tuple[str, int]] = []

        def prepared(model: ModelInfo, wanted: Files, _stop: object) -> tuple[float, str]:
            seen.append((model.name, wanted))
            return 0.5, "Half of them stayed."

        monkeypatch.setattr("comparator.comparison.file_cache.prepared", prepared)
        monkeypatch.setattr(
            "comparator.comparison.read_ahead.begin",
            lambda model, threads: ahead.append((model.name, threads)),
        )
        for files in (Files.COLD, Files.AS_THEY_ARE):
            comparison, executors = comparison_of("ab", files=files)
            loaded = protocol.Loaded(1.0, 512, "cpu", threads=3)
            executors[0].tell(loaded, protocol.Prompted(1.0, 1, "", "none"), *ANSWER)
            executors[1].tell(*ANSWER)
            comparison.drain()
            for result in comparison.results():
                assert (result.stats.files_cached, result.notice) == (0.5, "Half of them stayed.")
        assert seen == [(name, files) for files in (Files.COLD, Files.AS_THEY_ARE) for name in "ab"]
        assert ahead == [("b", 3)]


ANSWER = (
    protocol.Token("Hello", 1, 1.0),
    protocol.Answered("stop", 1, 1.0, "!"),
    protocol.Finished(1.1, fallbacks=("It is slow.",)),
)


def test_each_slot_runs_on_an_executor_of_its_own_when_its_turn_comes() -> None:
    comparison, executors = comparison_of("ab")
    assert len(executors) == 1
    executors[0].tell(*ANSWER)
    assert len(executors) == 2
    executors[1].tell(protocol.Failed("load", "load", "It is gone."))
    comparison.drain()
    assert comparison.is_complete
    assert comparison.has_ended
    one, two = comparison.results()
    assert (one.content, one.state, one.fallbacks) == ("Hello!", RunState.DONE, ["It is slow."])
    assert (two.state, two.error) == (RunState.FAILED, "It is gone.")


def test_all_start_at_once_where_they_run_together() -> None:
    _comparison, executors = comparison_of("abc", together=True)
    assert len(executors) == 3


def test_an_assignment_is_one_conversation_with_the_slots_own_system_prompt() -> None:
    asked = Conversation.of([{"role": "system", "content": "x"}, {"role": "user", "content": "y"}])
    _comparison, executors = comparison_of("ab", together=True, conversation=asked)
    for executor, name in zip(executors, "ab", strict=True):
        (assignment,) = executor.assignments
        assert isinstance(assignment.work, protocol.Answer)
        assert assignment.work.model.name == name
        assert assignment.work.config.seed is not None
        assert assignment.work.conversations == (asked.with_system(name),)


def test_an_answer_is_shown_before_its_run_has_ended_and_is_complete_after_it() -> None:
    comparison, (executor,) = comparison_of("a")
    executor.tell(*ANSWER[:-1])
    comparison.drain()
    assert comparison.result(0).content == "Hello!"
    assert not comparison.is_complete
    executor.tell(ANSWER[-1])
    comparison.drain()
    assert comparison.is_complete


def test_a_stop_reaches_the_executor_and_the_next_never_starts() -> None:
    comparison, executors = comparison_of("ab")
    comparison.stop()
    assert [executor.stops for executor in executors] == [1]
    comparison.drain()
    assert [result.state for result in comparison.results()] == [RunState.STOPPED] * 2


def test_what_it_took_of_this_machine_is_kept_where_it_tells() -> None:
    comparison, executors = comparison_of("ab")
    executors[0].receipt = Receipt(10, 9, 5)
    executors[0].tell(*ANSWER)
    executors[1].tell(*ANSWER)
    comparison.drain()
    one, two = comparison.results()
    assert (one.stats.memory_usage, two.stats.memory_usage) == (5, None)
    assert one.receipt["available_before"] == 10
    assert two.receipt == {}


def test_what_was_settled_is_told_to_the_reader_all_the_same() -> None:
    model = ModelInfo("a", "a", "/a.echo.json", ModelType.ECHO, 1)
    request = Request(Conversation.of("hi"), [Slot(model, ModelConfig())])
    comparison = Comparison(request)
    comparison.stop()
    comparison.settle()
    assert comparison.result(0).state is RunState.STOPPED
    assert not comparison.is_complete  # nobody has seen it
    assert comparison.drain() == {0}
    assert comparison.is_complete


class TestWhoIsRefused:
    """Nobody waits to hear that a column will not run."""

    def test_a_column_that_will_not_run_is_told_before_the_others_have_run(self) -> None:
        models = [ModelInfo(name, name, "/nowhere", ModelType.CUSTOM, 0) for name in "abc"]
        first, second, third = [Slot(model, ModelConfig()) for model in models]
        second = replace(second, refusal="Its context is too small.")
        request = Request(Conversation.of("hi"), [first, second, third])
        executors = [Scripted(), Scripted()]
        left = iter(executors)
        comparison = Comparison(request, executor_for=lambda _assignment: next(left)).start()
        assert comparison.join(10)
        comparison.drain()
        refused = comparison.result(1)
        assert (refused.error, refused.error_kind) == ("Its context is too small.", "refused")
        assert comparison.result(0).state is RunState.LOADING
        executors[0].tell(*ANSWER)
        executors[1].tell(*ANSWER)
        comparison.drain()
        states = [result.state for result in comparison.results()]
        assert states == [RunState.DONE, RunState.FAILED, RunState.DONE]
        assert comparison.has_ended

    def test_one_that_all_refuse_ends(self) -> None:
        model = ModelInfo("a", "a", "/nowhere", ModelType.CUSTOM, 0)
        request = Request(Conversation.of("hi"), [Slot(model, ModelConfig(), refusal="No.")] * 2)
        comparison = Comparison(request).start()
        assert comparison.wait_until_ended(10)
        comparison.drain()
        assert comparison.is_complete


def test_what_was_decided_in_place_of_what_was_asked_is_in_the_record() -> None:
    comparison, (_one, _other) = comparison_of("ab", together=True)
    comparison.drain()
    (threads,) = {result.sent["n_threads"] for result in comparison.results()}
    assert threads >= 1
    assert comparison.result(0).config["n_threads"] is None
