"""A comparison knows executors and nothing else that runs a model."""

from __future__ import annotations

from typing import Any

from comparator.comparison.comparison import Comparison
from comparator.comparison.request import Request, Slot
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import ModelInfo, ModelType, RunState
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
    names: str, together: bool = False, conversation: Conversation | None = None
) -> tuple[Comparison, list[Scripted]]:
    executors: list[Scripted] = []

    def executor_for(_assignment: protocol.Assignment) -> Executor:
        executors.append(Scripted())
        return executors[-1]

    models = [ModelInfo(name, name, "/nowhere", ModelType.CUSTOM, 0) for name in names]
    slots = [Slot(model, ModelConfig(system_prompt=model.name)) for model in models]
    request = Request(conversation or Conversation.of("hi"), slots, together)
    return Comparison(request, executor_for=executor_for).start(), executors


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
