"""One real child per way to die: alone, and with three healthy models beside it."""

from __future__ import annotations

import time
from collections import deque

import pytest
from cases import slow

from comparator.core.models import RunState
from comparator.services.inference_engine import InferenceEngine
from runners import protocol
from runners.engines.echo_inferencer import FAULTS
from runners.process import Deadlines

STAGES = ("load", "prompt", "generate")
SHORT_SECONDS = 1.0  # a busy machine needs some of it to start a child
SHORT = Deadlines(SHORT_SECONDS, SHORT_SECONDS, SHORT_SECONDS)

# fault -> (error_kind, a part of the sentence)
SUDDEN = {
    "abort": ("crashed", "SIGABRT"),
    "exit_0": ("crashed", "exited with code 0"),
    "exit_3": ("crashed", "exited with code 3"),
    "memory": ("out_of_memory", "Not enough memory"),
    "raise": (None, "the echo engine was told to fail"),
    "sigkill": ("crashed", "SIGKILL"),
    "sigsegv": ("crashed", "SIGSEGV"),
    "system_exit": ("crashed", "code 4"),
}
SILENT = ("hang", "hold_interpreter", "sigstop", "spin")


def test_the_tables_name_every_fault():
    assert {*SUDDEN, *SILENT} == set(FAULTS)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fault", SUDDEN)
def test_a_sudden_end_is_told_at_once(echo_model, play, fault, stage):
    played = play(echo_model(fault=fault, fault_stage=stage, fault_after=2 * (stage == "generate")))
    final = played.final
    assert final.stage == stage
    kind, words = SUDDEN[fault]
    if isinstance(final, protocol.Crashed):
        assert kind == "crashed"
        assert words in final.cause
    else:
        assert final.kind == (kind or ("load" if stage == "load" else "inference"))
        assert words in final.message
        assert "Traceback" in final.traceback
    assert played.text == ("one two " if stage == "generate" else "")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fault", SILENT)
def test_silence_ends_as_a_timeout_of_its_stage(echo_model, play, fault, stage):
    model = echo_model(fault=fault, fault_stage=stage, fault_after=2 * (stage == "generate"))
    played = play(model, deadlines=SHORT)
    assert played.final == protocol.TimedOut(stage, SHORT_SECONDS)
    assert played.text == ("one two " if stage == "generate" else "")


@pytest.mark.parametrize("fault", SUDDEN)
def test_a_spawned_child_tells_its_end_as_well(echo_model, play, fault):
    final = play(echo_model(fault=fault, fault_after=2), method="spawn").final
    assert SUDDEN[fault][1] in (getattr(final, "cause", "") or final.message)


def test_the_assertion_of_native_code_is_part_of_the_sentence(echo_model, play):
    played = play(echo_model(fault="abort", fault_stage="load"))
    assert "GGML_ASSERT(n_layer > 0) failed" in played.final.cause
    assert "GGML_ASSERT" in played.run.log_tail


FAULTS_BESIDE_OTHERS = [*SUDDEN, "sigstop", "hold_interpreter"]


@pytest.mark.parametrize(
    ("fault", "position"),
    [
        (fault, position) if position == number % 4 else slow(fault, position)
        for number, fault in enumerate(FAULTS_BESIDE_OTHERS)
        for position in range(4)
    ],
)
def test_the_other_three_columns_go_on(echo_model, fault, position):
    healthy = [echo_model(f"healthy{number}") for number in range(3)]
    broken = echo_model("broken", fault=fault, fault_after=2)
    models = [*healthy[:position], broken, *healthy[position:]]
    engine = InferenceEngine(deadlines=Deadlines(between_tokens_seconds=1.0))
    (results,) = deque(engine.run_inference("one two three four", models), maxlen=1)
    assert list(results) == [model.id for model in models]
    for model in healthy:
        result = results[model.id]
        assert (result.error, result.content) == (None, "one two three four")
        assert result.state is RunState.DONE
    failed = results[broken.id]
    expected = SUDDEN.get(fault, ("timeout", ""))[0] or "inference"
    assert (failed.error_kind, failed.state) == (expected, RunState.FAILED)
    assert failed.content == "one two "
    assert failed.error.endswith((".", "tokens."))
    assert len(failed.error) > 30
    assert failed.stats.end_time is not None
    assert isinstance(failed.stats.tokens_per_second, float)
    assert failed.stats.finish_reason == "error"
    assert engine.active_inferencers == {}


def test_together_one_crash_leaves_the_others_alone(echo_model):
    broken = echo_model("broken", fault="sigsegv", fault_after=1)
    models = [broken, *(echo_model(f"healthy{number}") for number in range(3))]
    (results,) = deque(
        InferenceEngine().run_inference("one two three", models, together=True), maxlen=1
    )
    assert [result.error_kind for result in results.values()] == ["crashed", None, None, None]


class TestDeadlines:
    def test_progress_extends_the_stall_timer(self, echo_model, play):
        model = echo_model(load_seconds=2.5)
        played = play(model, deadlines=Deadlines(load_seconds=1.0))
        assert isinstance(played.final, protocol.Finished)

    def test_tokens_extend_the_stall_timer(self, echo_model, play):
        model = echo_model(tokens=10, tokens_per_second=5)
        played = play(model, deadlines=Deadlines(between_tokens_seconds=1.5))
        assert isinstance(played.final, protocol.Finished)

    def test_the_whole_run_is_bounded_and_its_text_kept(self, echo_model, play):
        model = echo_model(tokens=4000, tokens_per_second=50)
        begun = time.monotonic()
        played = play(model, deadlines=Deadlines(total_seconds=2.0))
        assert time.monotonic() - begun > 1.9
        assert played.final == protocol.TimedOut("whole run", 2.0)
        assert played.text.startswith("one two")

    def test_none_turns_a_deadline_off(self, echo_model, begin, wait_until):
        limits = Deadlines(0.2, 0.2, None, None)
        played = begin(echo_model(fault="hang", fault_after=1), deadlines=limits)
        assert wait_until(lambda: played.seen(protocol.Token))
        assert not played.run.join(0.8)
        played.run.stop()
        assert isinstance(played.to_end().final, protocol.Cancelled)


class TestErrorsInUsersCode:
    def test_a_class_that_cannot_be_made(self, play, custom_model):
        def factory(_model):
            raise ImportError("no module named engine_of_mine")

        final = play(custom_model, factories=(factory,)).final
        assert (final.stage, final.kind) == ("load", "load")
        assert "no module named engine_of_mine" in final.message

    def test_an_engine_whose_module_raises_at_import(self, play, custom_model, tmp_path):
        (tmp_path / "broken_engine.py").write_text("raise RuntimeError('broken at import')")
        folder = str(tmp_path)

        def factory(_model):
            import sys

            sys.path.insert(0, folder)
            import broken_engine

            return broken_engine.Engine()

        final = play(custom_model, factories=(factory,)).final
        assert (final.stage, final.kind) == ("load", "load")
        assert "broken at import" in final.message

    def test_a_factory_that_returns_something_else(self, play, custom_model):
        final = play(custom_model, factories=(lambda _model: "an engine",)).final
        assert final.kind == "load"
        assert "returned str, not a BaseInferencer" in final.message

    def test_no_factory_takes_a_custom_model(self, play, custom_model):
        final = play(custom_model, factories=(lambda _model: None,)).final
        assert final.kind == "load"
        assert "register_inferencer_factory" in final.message

    def test_an_exit_code_of_255_is_not_taken_for_the_fork_servers_death(self, play, custom_model):
        from runners.base import BaseInferencer

        class Quitter(BaseInferencer):
            def load_model(self, model_path, config):
                import os

                os._exit(255)

            def generate_stream(self, prompt):
                yield ""

            def unload_model(self): ...

            def get_model_info(self):
                return {}

        played = play(custom_model, factories=(lambda _model: Quitter(),))
        assert played.final.exit_code == 255
        hellos = [m for m in played.messages if isinstance(m, protocol.Hello)]
        assert len(hellos) == 1, "a run that crashed must not be repeated in silence"
