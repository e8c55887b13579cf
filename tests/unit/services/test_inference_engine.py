"""The front door: what is refused before anything starts, and what the snapshots promise."""

from __future__ import annotations

import copy
import itertools
import time
from dataclasses import replace

import pytest

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError, EngineMissingError, ModelLoadError
from comparator.core.models import ModelInfo, ModelType, RunState
from comparator.services.inference_engine import LONGEST_PROMPT_BYTES, InferenceEngine
from comparator.services.memory_manager import MemoryManager
from runners import registry
from runners.base import BaseInferencer
from runners.engines.echo_inferencer import EchoInferencer
from runners.supervision.fork_server import fork_servers


@pytest.fixture
def engine():
    return InferenceEngine()


def last(engine, *arguments, **options):
    *_, results = engine.run_inference(*arguments, **options)
    return results


class TestRefusals:
    @pytest.mark.parametrize("prompt", ["", "  \n\t", "\u3000"])
    def test_38_an_empty_prompt(self, engine, echo_model, prompt):
        with pytest.raises(ConfigurationError, match="Type a prompt first"):
            engine.run_inference(prompt, [echo_model()])

    @pytest.mark.parametrize("prompt", [None, 7, {"a": 1}, ["x"], b"bytes"])
    def test_40_a_prompt_that_is_no_text(self, engine, echo_model, prompt):
        with pytest.raises(ConfigurationError, match="The prompt must be text"):
            engine.run_inference(prompt, [echo_model()])

    def test_40_a_prompt_that_is_too_large(self, engine, echo_model):
        with pytest.raises(ConfigurationError, match=f"the limit is {LONGEST_PROMPT_BYTES}"):
            engine.run_inference("x" * (LONGEST_PROMPT_BYTES + 1), [echo_model()])
        with pytest.raises(ConfigurationError, match="bytes"):
            engine.run_inference("字" * (LONGEST_PROMPT_BYTES // 2), [echo_model()])

    @pytest.mark.parametrize(("name", "value"), [("temperature", -1), ("max_tokens", 0)])
    def test_42_and_43_settings_out_of_range(self, engine, echo_model, name, value):
        model = echo_model()
        with pytest.raises(ConfigurationError, match=name):
            engine.run_inference("hi", [model], {model.id: ModelConfig(**{name: value})})

    def test_44_no_model(self, engine):
        with pytest.raises(ConfigurationError, match="Choose at least one model"):
            engine.run_inference("hi", [])

    def test_a_model_that_is_none(self, engine):
        with pytest.raises(ConfigurationError, match="must be a ModelInfo, not str"):
            engine.run_inference("hi", ["llama"])

    def test_nothing_was_started(self, engine, echo_model):
        fork_servers.close()
        with pytest.raises(ConfigurationError):
            engine.run_inference("", [echo_model()])
        assert fork_servers.pids() == []
        assert engine.active_inferencers == {}


class TestRuns:
    def test_41_a_lone_surrogate_is_replaced_and_said(self, engine, echo_model):
        (result,) = last(engine, "a\ud800b", [echo_model()]).values()
        assert result.content == "a\ufffdb"
        assert "U+FFFD" in result.notice

    @pytest.mark.parametrize(
        "prompt", ["\x00\x1b[2J", "\u202eabc", "👩‍👩‍👧", "你好,世界 ", "e\u0301"]
    )
    def test_41_other_characters_arrive_as_they_are(self, engine, echo_model, prompt):
        (result,) = last(engine, prompt, [echo_model()]).values()
        assert (result.content, result.notice) == (prompt, None)
        assert result.prompt.rendered == prompt

    def test_44_the_same_model_twice_with_other_settings(self, engine, echo_model):
        model = echo_model(tokens=9, text="x ")
        configs = {model.id: ModelConfig(max_tokens=2), f"{model.id}#2": ModelConfig(max_tokens=5)}
        one, two = last(engine, "hi", [model, model], configs).values()
        assert (one.model_id, two.model_id) == (model.id, f"{model.id}#2")
        assert (one.stats.token_count, two.stats.token_count) == (2, 5)
        assert (one.stats.finish_reason, two.config["max_tokens"]) == ("length", 5)

    def test_snapshots_never_change_later(self, engine, echo_model):
        models = [echo_model("a"), echo_model("b", fault="raise", fault_after=1)]
        taken = []
        for results in engine.run_inference("one two three", models):
            taken.append((results, copy.deepcopy(results)))
        assert len(taken) > 6
        for results, as_it_was in taken:
            assert results == as_it_was
        contents = [results[models[0].id].content for results, _ in taken]
        assert contents == sorted(contents, key=len)
        assert "one two " in contents

    def test_every_snapshot_has_all_models_in_order(self, engine, echo_model):
        models = [echo_model(name) for name in "dcba"]
        for results in engine.run_inference("hi", models):
            assert list(results) == [model.id for model in models]

    def test_models_run_one_after_another(self, engine, echo_model):
        models = [echo_model(name) for name in "abc"]
        results = list(last(engine, "hi", models).values())
        for before, after in itertools.pairwise(results):
            assert before.stats.end_time <= after.stats.start_time + 0.01

    def test_together_they_overlap(self, engine, echo_model):
        models = [echo_model(name, load_seconds=0.6) for name in "ab"]
        one, two = last(engine, "hi", models, together=True).values()
        assert two.stats.start_time < one.stats.end_time

    def test_the_system_prompt_is_for_those_without_one(self, engine, echo_model):
        models = [echo_model("a"), echo_model("b")]
        configs = {models[0].id: ModelConfig(system_prompt="mine")}
        one, two = last(engine, "hi", models, configs, system_prompt="all").values()
        assert (one.config["system_prompt"], two.config["system_prompt"]) == ("mine", "all")
        assert configs[models[0].id].system_prompt == "mine"

    def test_settings_may_be_plain_mappings(self, engine, echo_model):
        model = echo_model(tokens=9, text="x ")
        (result,) = last(engine, "hi", [model], {model.id: {"max_tokens": 3}}).values()
        assert result.stats.token_count == 3
        with pytest.raises(ConfigurationError, match="Did you mean max_tokens"):
            engine.run_inference("hi", [model], {model.id: {"max_token": 3}})

    def test_changing_settings_during_the_run_changes_nothing(self, engine, echo_model):
        model, config = (
            echo_model(tokens=30, text="x ", load_seconds=0.1),
            ModelConfig(max_tokens=3),
        )
        steps = engine.run_inference("hi", [model], {model.id: config})
        next(steps)
        config.max_tokens = 20
        *_, results = steps
        assert results[model.id].stats.token_count == 3

    def test_the_numbers_of_a_run(self, engine, echo_model):
        model = echo_model(tokens=20, tokens_per_second=50, load_seconds=0.3)
        (result,) = last(engine, "hi there", [model]).values()
        stats = result.stats
        assert stats.load_seconds >= 0.3
        assert stats.time_to_first_token > stats.load_seconds
        assert stats.duration >= stats.time_to_first_token
        assert 20 < stats.tokens_per_second <= 51
        assert (stats.token_count, stats.prompt_tokens) == (20, 2)
        assert 1_000_000 < stats.memory_usage < 200_000_000
        assert result.receipt["available_after"] > 0
        assert result.engine["name"] == "echo"

    def test_a_slow_viewer_does_not_change_the_speed(self, engine, echo_model):
        model = echo_model(tokens=30, tokens_per_second=100)
        steps = []
        for results in engine.run_inference("hi", [model]):
            steps.append(results)
            time.sleep(0.03)
        assert steps[-1][model.id].stats.tokens_per_second > 60


class Custom(BaseInferencer):
    def load_model(self, model_path, config):
        self.is_loaded = True

    def generate_stream(self, prompt):
        yield from ("custom", " ", prompt)

    def unload_model(self): ...

    def get_model_info(self):
        return {"model_type": "custom"}


class Forgetful(Custom):
    def __init__(self):
        """Forget to call the base class."""


CUSTOM = ModelInfo("", "mine", "/nowhere", ModelType.CUSTOM, 0)


class TestFactories:
    @pytest.mark.parametrize("kind", [Custom, Forgetful])
    def test_a_custom_model(self, engine, kind):
        engine.register_inferencer_factory(
            lambda model: kind() if model.model_type is ModelType.CUSTOM else None
        )
        (result,) = last(engine, "hi", [CUSTOM]).values()
        assert (result.content, result.error) == ("custom hi", None)
        assert result.stats.token_count == 3

    def test_a_factory_is_asked_before_the_built_in_engines(self, engine, echo_model):
        engine.register_inferencer_factory(lambda model: Custom() if model.name == "a" else None)
        one, two = last(engine, "hi", [echo_model("a"), echo_model("b")]).values()
        assert (one.content, two.content) == ("custom hi", "hi")

    def test_the_first_that_takes_it_wins(self, engine):
        engine.register_inferencer_factory(lambda model: None)
        engine.register_inferencer_factory(lambda model: Custom())
        engine.register_inferencer_factory(lambda model: 1 / 0)
        assert isinstance(engine.create_inferencer(CUSTOM), Custom)
        assert last(engine, "hi", [CUSTOM])[CUSTOM.id].content == "custom hi"

    def test_a_custom_model_without_a_factory(self, engine):
        result = last(engine, "hi", [CUSTOM])[CUSTOM.id]
        assert (result.state, result.error_kind) == (RunState.FAILED, "load")
        assert "register_inferencer_factory" in result.error
        with pytest.raises(ModelLoadError):
            engine.create_inferencer(CUSTOM)

    def test_a_factory_must_be_callable(self, engine):
        with pytest.raises(ConfigurationError, match="must be callable"):
            engine.register_inferencer_factory("Custom")


class TestInThisProcess:
    def test_an_inferencer_for_use_here(self, engine, echo_model):
        model = echo_model()
        inferencer = engine.create_inferencer(model)
        assert isinstance(inferencer, EchoInferencer)
        assert not inferencer.is_model_loaded()
        inferencer.load_model(model.path, {"max_tokens": 2})
        assert inferencer.is_model_loaded()
        assert "".join(inferencer.generate_stream("one two three")) == "one two "
        assert inferencer.get_model_info()["engine"] == "echo"
        inferencer.unload_model()
        assert (inferencer.is_model_loaded(), inferencer.get_model_info()) == (False, {})

    def test_an_engine_that_is_not_installed(self, engine, monkeypatch):
        missing = replace(registry.ENGINES["gguf"], requires=("no_such_library",), instead=None)
        monkeypatch.setitem(registry.ENGINES, "gguf", missing)
        with pytest.raises(EngineMissingError, match="pip install"):
            engine.create_inferencer(ModelInfo("", "m", "/p", ModelType.GGUF, 1))

    def test_cleanup_when_nothing_runs(self, echo_model):
        engine = InferenceEngine(MemoryManager())
        engine.cleanup_resources()
        assert last(engine, "hi", [echo_model()])
        engine.cleanup_resources()
        assert fork_servers.pids() == []
        engine.cleanup_resources()
