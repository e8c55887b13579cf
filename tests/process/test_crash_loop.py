"""The same broken model ten times; after three failures it waits, and nobody else does."""

from __future__ import annotations

from comparator.comparison.comparison import Comparison
from comparator.comparison.cooldown import Cooldown
from comparator.core.models import RunState
from comparator.services.inference_engine import InferenceEngine


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def ask(engine, *models):
    *_, results = engine.run_inference("one two three", models)
    return [(result.error_kind, result.content) for result in results.values()]


def test_ten_times_the_same_broken_model(echo_model):
    clock = Clock()
    engine = InferenceEngine(cooldown=Cooldown(clock))
    broken, healthy = echo_model("broken", fault="sigsegv", fault_after=1), echo_model("healthy")
    kinds = [ask(engine, broken)[0][0] for _ in range(10)]
    assert kinds == ["crashed"] * 3 + ["refused"] * 7
    assert ask(engine, healthy, broken) == [(None, "one two three"), ("refused", "")]
    clock.seconds += 10
    assert ask(engine, broken) == [("crashed", "one ")]
    assert ask(engine, broken) == [("refused", "")]


def test_the_refusal_says_when_to_come_back_and_starts_nothing(echo_model):
    engine = InferenceEngine(cooldown=Cooldown(Clock()))
    broken = echo_model("broken", fault="abort", fault_stage="load")
    for _ in range(3):
        ask(engine, broken)
    request = engine.admitted(engine.request("hi", [broken]))
    assert "broken failed 3 times in a row" in request.slots[0].refusal
    assert "may be tried again in 10 s" in request.slots[0].refusal
    *_, results = engine.run_inference("hi", [broken])
    (result,) = results.values()
    assert result.state is RunState.FAILED
    assert result.receipt == {}
    assert (result.stats.duration, result.stats.tokens_per_second) == (0.0, 0.0)


def test_two_columns_of_one_model_count_twice(echo_model):
    engine = InferenceEngine(cooldown=Cooldown(Clock()))
    broken = echo_model("broken", fault="sigkill", fault_after=0)
    assert ask(engine, broken, broken, broken) == [("crashed", "")] * 3
    assert ask(engine, broken) == [("refused", "")]


def test_every_end_is_noted_exactly_once(echo_model):
    noted = []

    class Recorder(Cooldown):
        def note(self, model, error_kind):
            noted.append((model.name, error_kind))
            super().note(model, error_kind)

    engine = InferenceEngine(cooldown=Recorder())
    models = [echo_model("good"), echo_model("bad", fault="sigsegv"), echo_model("slow", tokens=9)]
    ask(engine, *models)
    assert noted == [("good", None), ("bad", "crashed"), ("slow", None)]


def test_a_stop_says_nothing_of_the_model(echo_model):
    engine = InferenceEngine(cooldown=Cooldown(Clock()))
    model = echo_model(tokens=4000, tokens_per_second=50)
    for _ in range(5):
        comparison = Comparison(engine.request("one two", [model, model]))
        engine.start(comparison)
        comparison.stop()
        assert comparison.wait_until_ended(10)
        engine.finish(comparison)
    assert engine.cooldown.refusal(model) is None


def test_a_column_can_be_asked_again(echo_model):
    engine = InferenceEngine()
    models = [echo_model("a"), echo_model("b", tokens=2)]
    request = engine.request("one two three", models, together=True)
    alone = engine.again(request, 1)
    assert [slot.model.name for slot in alone.slots] == ["b"]
    assert (alone.conversation.question, alone.wants_together) == ("one two three", False)
    comparison = engine.compare(alone)
    assert comparison.wait_until_ended(10)
    comparison.drain(1)
    assert comparison.result(0).content == "one two "
    engine.finish(comparison)
