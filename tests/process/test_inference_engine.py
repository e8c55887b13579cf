"""The front door: what is refused before anything starts, and what the snapshots promise."""

from __future__ import annotations

import copy
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from comparator.comparison.comparison import Comparison
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError, EngineMissingError, ModelLoadError
from comparator.core.models import ModelInfo, ModelType, RunState
from comparator.library import discovery
from comparator.services import inference_engine
from comparator.services.inference_engine import LONGEST_PROMPT_BYTES, InferenceEngine
from comparator.services.memory_manager import MemoryManager
from runners import registry
from runners.base import BaseInferencer
from runners.engines.echo_inferencer import EchoInferencer
from runners.supervision.fork_server import fork_servers

TURNS = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
]


@pytest.fixture
def engine():
    return InferenceEngine()


def last(engine, *arguments, **options):
    *_, results = engine.run_inference(*arguments, **options)
    return results


class TestRefusals:
    @pytest.mark.parametrize("prompt", ["", "  \n\t", "\u3000"])
    def test_an_empty_prompt_is_refused(self, engine, echo_model, prompt):
        with pytest.raises(ConfigurationError, match="Type a prompt first"):
            engine.run_inference(prompt, [echo_model()])

    @pytest.mark.parametrize("prompt", [None, 7, {"a": 1}, ["x"], b"bytes"])
    def test_a_prompt_that_is_no_text_is_refused(self, engine, echo_model, prompt):
        with pytest.raises(ConfigurationError, match="The prompt must be text"):
            engine.run_inference(prompt, [echo_model()])

    def test_a_prompt_that_is_too_large_is_refused(self, engine, echo_model):
        with pytest.raises(ConfigurationError, match=f"the limit is {LONGEST_PROMPT_BYTES}"):
            engine.run_inference("x" * (LONGEST_PROMPT_BYTES + 1), [echo_model()])
        with pytest.raises(ConfigurationError, match="bytes"):
            engine.run_inference("字" * (LONGEST_PROMPT_BYTES // 2), [echo_model()])

    @pytest.mark.parametrize(("name", "value"), [("temperature", -1), ("max_tokens", 0)])
    def test_settings_out_of_range_are_refused(self, engine, echo_model, name, value):
        model = echo_model()
        with pytest.raises(ConfigurationError, match=name):
            engine.run_inference("hi", [model], {model.id: ModelConfig(**{name: value})})

    def test_no_model_is_refused(self, engine):
        with pytest.raises(ConfigurationError, match="Choose at least one model"):
            engine.run_inference("hi", [])

    def test_a_conversation_that_is_none(self, engine, echo_model):
        with pytest.raises(ConfigurationError, match="The last message must be the user's"):
            engine.run_inference(TURNS[:2], [echo_model()])

    def test_a_model_that_is_none(self, engine):
        with pytest.raises(ConfigurationError, match="must be a ModelInfo, not str"):
            engine.run_inference("hi", ["llama"])

    def test_nothing_was_started(self, engine, echo_model):
        fork_servers.close()
        with pytest.raises(ConfigurationError):
            engine.run_inference("", [echo_model()])
        assert fork_servers.pids() == []
        assert engine.active_inferencers == {}


class TestConversations:
    @pytest.mark.parametrize("asked", [TURNS, tuple(TURNS), Conversation.of(TURNS)])
    def test_messages_are_asked_and_recorded(self, engine, echo_model, asked):
        (result,) = last(engine, asked, [echo_model()]).values()
        assert result.error is None
        assert result.content == Conversation.of(TURNS).as_text()
        assert result.to_record()["prompt"]["messages"] == TURNS

    def test_a_text_is_one_question(self, engine, echo_model):
        (result,) = last(engine, "hi", [echo_model()], system_prompt="Be brief.").values()
        assert result.to_record()["prompt"]["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hi"},
        ]

    def test_the_messages_system_prompt_is_for_those_without_one(self, engine, echo_model):
        models = [echo_model("a"), echo_model("b")]
        configs = {models[0].id: ModelConfig(system_prompt="mine")}
        asked = [{"role": "system", "content": "all"}, *TURNS]
        one, two = last(engine, asked, models, configs).values()
        assert (one.config["system_prompt"], two.config["system_prompt"]) == ("mine", "all")
        assert [r.prompt.messages[0]["content"] for r in (one, two)] == ["mine", "all"]
        (three,) = last(engine, asked, models[1:], system_prompt="given").values()
        assert three.config["system_prompt"] == "given"

    def test_a_users_inferencer_that_knows_texts_is_told_several_turns_in_plain_words(self, engine):
        engine.register_inferencer_factory(lambda model: Custom())
        (result,) = last(engine, TURNS, [CUSTOM]).values()
        assert result.content == f"custom {Conversation.of(TURNS).as_text()}"


class IdleServers:
    """Fork servers that nobody uses, by what they hold."""

    def __init__(self, sizes):
        self.sizes, self.freed = sizes, 0

    def spare_bytes(self, keep):
        assert keep
        return sum(self.sizes)

    def give_back(self, _wanted_bytes, keep):
        assert keep
        size = self.sizes.pop(0) if self.sizes else 0
        self.freed += size
        return size


class TestWhoMayRun:
    def test_it_is_decided_once_and_at_the_start(self, engine, echo_model, monkeypatch):
        decided = []
        plan = engine.memory_manager.plan

        def counted(*arguments, **spare):
            decided.append(arguments)
            return plan(*arguments, **spare)

        monkeypatch.setattr(engine.memory_manager, "plan", counted)
        request = engine.request("hi", [echo_model()])
        assert decided == []
        comparison = engine.compare(request)
        assert comparison.wait_until_ended(30)
        engine.finish(comparison)
        assert len(decided) == 1

    def test_the_whole_conversation_counts(self, engine, echo_model, monkeypatch):
        tokens = []
        plan = engine.memory_manager.plan

        def noted(*arguments, **spare):
            tokens.append(arguments[-1])
            return plan(*arguments, **spare)

        monkeypatch.setattr(engine.memory_manager, "plan", noted)
        long = [{"role": "user", "content": "word " * 1000}, *TURNS[1:]]
        for asked in (TURNS, long):
            engine.admitted(engine.request(asked, [echo_model()]))
        assert tokens[1] - tokens[0] > 1500

    @pytest.mark.parametrize("together", [False, True])
    def test_idle_engines_end_before_anything_is_refused_or_runs_in_turn(
        self, engine, echo_model, monkeypatch, together
    ):
        """Three models of which fewer fit than are asked, until two of three servers are gone."""
        servers = IdleServers([30, 20, 10])
        plan = engine.memory_manager.plan

        def by_room(*arguments, spare_bytes=0):
            planned = plan(*arguments)
            has_room = servers.freed + spare_bytes >= 50
            order = "together" if together and has_room else "in turn"
            refusals = [None if has_room or together else "Cannot run."] * len(planned.refusals)
            return replace(planned, order=order, refusals=tuple(refusals))

        monkeypatch.setattr(engine.memory_manager, "plan", by_room)
        monkeypatch.setattr(inference_engine, "fork_servers", servers)
        request = engine.admitted(engine.request("hi", [echo_model()] * 2, together=together))
        assert request.together == together
        assert [slot.refusal for slot in request.slots] == [None, None]
        assert servers.sizes == [10], "no more than was wanted"

    def test_no_engine_ends_where_that_would_not_help(self, engine, echo_model, monkeypatch):
        servers = IdleServers([30, 20])
        plan = engine.memory_manager.plan
        refused = ("Cannot run.",)
        monkeypatch.setattr(
            engine.memory_manager,
            "plan",
            lambda *arguments, **_spare: replace(plan(*arguments), refusals=refused),
        )
        monkeypatch.setattr(inference_engine, "fork_servers", servers)
        request = engine.admitted(engine.request("hi", [echo_model()]))
        assert request.slots[0].refusal == "Cannot run."
        assert servers.sizes == [30, 20]

    def test_any_number_of_models_may_be_asked(self, engine, echo_model):
        results = last(engine, "hi", [echo_model()] * 5)
        assert [result.content for result in results.values()] == ["hi"] * 5

    def test_many_comparisons_of_one_model_begin_at_once(self, engine, echo_model):
        class SlowTable(dict):
            def __contains__(self, key):
                time.sleep(0.001)  # another thread has its turn here
                return super().__contains__(key)

        engine.active_inferencers = SlowTable()
        request = engine.request("hi", [echo_model()])
        comparisons = [Comparison(request) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(engine._enter, comparisons))
        assert set(engine.active_inferencers.values()) == set(comparisons)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(engine._leave, comparisons))
        assert engine.active_inferencers == {}


class TestRuns:
    def test_a_lone_surrogate_is_replaced_and_said(self, engine, echo_model):
        (result,) = last(engine, "a\ud800b", [echo_model()]).values()
        assert result.content == "a\ufffdb"
        assert "U+FFFD" in result.notice

    @pytest.mark.parametrize(
        "prompt", ["\x00\x1b[2J", "\u202eabc", "👩‍👩‍👧", "你好,世界 ", "e\u0301"]
    )
    def test_other_characters_arrive_as_they_are(self, engine, echo_model, prompt):
        (result,) = last(engine, prompt, [echo_model()]).values()
        assert result.content == prompt
        assert "replaced" not in (result.notice or "")
        assert result.prompt.rendered == prompt

    def test_the_same_model_twice_keeps_its_settings_apart(self, engine, echo_model):
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
        snapshots = list(engine.run_inference("hi", models))
        assert snapshots
        assert {tuple(results) for results in snapshots} == {tuple(model.id for model in models)}

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
        assert 0 < stats.tokens_per_second <= 51
        assert (stats.token_count, stats.prompt_tokens) == (20, 2)
        assert stats.memory_usage > 0
        assert result.receipt["available_after"] > 0
        assert result.engine["name"] == "echo"

    def test_a_slow_viewer_does_not_change_the_speed(self, engine, echo_model):
        model = echo_model(tokens=30, tokens_per_second=100)
        steps = []
        for results in engine.run_inference("hi", [model]):
            steps.append(results)
            time.sleep(0.03)
        assert steps[-1][model.id].stats.tokens_per_second > 43, "not the viewer's 33 a second"


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


def test_what_a_run_held_over_its_time_is_in_its_receipt(engine, echo_model):
    (result,) = last(engine, "hi", [echo_model()]).values()
    samples = result.to_record()["receipt"]["samples"]
    held = samples["own_bytes"]
    assert held[0] == held[-1] == 0
    assert max(held) > 0
    assert len(held) == len(samples["seconds"]) == len(samples["available_bytes"])
    assert samples["seconds"] == sorted(samples["seconds"])


def test_special_tokens_are_told_and_typed_ones_are_none(engine, starter_models):
    model = discovery.inspect(Path(starter_models["gguf_q8_0"]))
    config = {model.id: ModelConfig(max_tokens=1, do_sample=False)}
    (result,) = last(engine, "a <|im_end|> b", [model], config).values()
    prompt = result.prompt
    pairs = zip(prompt.special[::2], prompt.special[1::2], strict=True)
    assert [prompt.rendered[begin:end] for begin, end in pairs][-3:] == [
        *("<|im_start|>", "<|im_end|>", "<|im_start|>")
    ]
    assert prompt.rendered.index("a <|im_end|> b") + 2 not in prompt.special
