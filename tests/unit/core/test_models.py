"""The values: ids, snapshots' records, exceptions, and text that anything can take."""

from __future__ import annotations

import hashlib
import json

import pytest

from comparator.core import exceptions
from comparator.core.location import Location, Place
from comparator.core.models import (
    InferenceResult,
    InferenceStats,
    ModelInfo,
    ModelType,
    PromptReport,
    RunState,
    Thinking,
    told_apart,
)
from comparator.core.text import with_controls_shown, without_surrogates


class TestModelInfo:
    def test_an_empty_id_is_made_from_the_path(self):
        path = "/models/模型 🙂.gguf"
        model = ModelInfo("", "name", path, ModelType.GGUF, 1, {})
        assert model.id == hashlib.md5(path.encode()).hexdigest()[:8]
        assert model.id == model.generate_id()
        assert ModelInfo("", "other", path, ModelType.PYTORCH, 2).id == model.id

    def test_a_given_id_stays(self):
        assert ModelInfo("mine", "name", "/p", ModelType.GGUF, 1).id == "mine"

    def test_a_path_that_is_no_utf8_has_an_id(self):
        assert len(ModelInfo("", "name", "/p/\udcff", ModelType.GGUF, 1).id) == 8

    def test_two_models_share_no_configuration(self):
        one, two = (ModelInfo("", "n", "/p", ModelType.GGUF, 1) for _ in range(2))
        one.config["problem"] = "broken"
        assert (one.problem, two.problem) == ("broken", None)

    def test_a_model_alone_lies_where_its_path_is(self):
        model = ModelInfo("", "n", "/p", ModelType.GGUF, 1)
        assert (model.source, model.problem) == ("folder", None)
        assert model.places == (Place("folder", "/p", "n"),)

    def test_what_callers_say_in_config_of_the_place_goes_before_the_location(self):
        said = {"source": "ollama", "problem": "half", "places": [{"path": "/a", "name": "a"}]}
        location = Location("jan", (Place("jan", "/j", "j"),), "empty")
        model = ModelInfo("", "n", "/p", ModelType.GGUF, 1, said, location)
        assert (model.source, model.problem) == ("ollama", "half")
        assert model.places == (Place("folder", "/a", "a"),)

    def test_a_record_says_nothing_of_the_location(self):
        location = Location("jan", problem="empty")
        model = ModelInfo("i", "n", "/p", ModelType.GGUF, 1, {}, location)
        told = {"id": "i", "name": "n", "model_type": "gguf", "path": "/p", "size": 1}
        assert model.to_record() == told


class TestRecord:
    RESULT = InferenceResult(
        model_id="abc",
        content="你好",
        is_complete=True,
        error=None,
        stats=InferenceStats(10.0, 12.5, 3, 2.0, 1000, 0.5, 1.0, 4, "stop"),
        state=RunState.DONE,
        model=ModelInfo("abc", "n", "/p", ModelType.GGUF, 5),
        config={"temperature": 0.7},
        prompt=PromptReport("hello", "gguf"),
    )

    def test_it_has_the_keys_of_the_contract_and_ours(self):
        record = self.RESULT.to_record()
        assert list(record) == [
            *("model", "content", "thinking", "is_complete", "error", "error_kind", "state"),
            *("stats", "config", "config_sources", "sent", "prompt", "engine", "receipt", "notice"),
            *("log_tail", "comparison"),
        ]
        assert set(record["model"]) == {"id", "name", "model_type", "path", "size"}
        assert set(record["stats"]) == {
            *("start_time", "end_time", "duration", "load_seconds", "time_to_first_token"),
            *("prompt_tokens", "token_count", "tokens_per_second", "memory_usage"),
            *("finish_reason", "device_memory_usage", "start_seconds"),
            *("cpu_share", "cpu_shares", "disturbed", "files_cached"),
            *("time_to_first_answer_token", "characters_per_second"),
        }
        assert set(record["prompt"]) == {
            "rendered",
            "template_source",
            "dropped_tokens",
            "messages",
            "date",
            "notes",
            "continued",
            "special",
            "first_token",
        }

    def test_it_is_json_and_its_values_are_plain(self):
        record = json.loads(json.dumps(self.RESULT.to_record()))
        assert record["model"]["model_type"] == "gguf"
        assert record["state"] == "done"
        assert record["stats"]["duration"] == 2.5

    def test_without_a_model_the_id_remains(self):
        result = InferenceResult("abc", "", False, None, InferenceStats(1.0))
        assert result.to_record()["model"] == {"id": "abc"}

    def test_changing_a_record_leaves_the_result(self):
        record = self.RESULT.to_record()
        record["config"]["temperature"] = 9
        record["stats"]["token_count"] = 9
        assert self.RESULT.config == {"temperature": 0.7}
        assert self.RESULT.stats.token_count == 3


@pytest.mark.parametrize(("start", "end", "expected"), [(0.0, None, None), (1.0, 3.5, 2.5)])
def test_duration(start, end, expected):
    assert InferenceStats(start, end).duration == expected


@pytest.mark.parametrize(
    ("name", "bases"),
    [
        ("ModelNotFoundError", [exceptions.MultiLLMError]),
        ("ModelLoadError", [exceptions.MultiLLMError]),
        ("EngineMissingError", [exceptions.ModelLoadError]),
        ("InferenceError", [exceptions.MultiLLMError]),
        ("PromptTooLongError", [exceptions.InferenceError]),
        ("MessageLostError", [exceptions.InferenceError]),
        ("ConfigurationError", [exceptions.MultiLLMError, ValueError]),
    ],
)
def test_the_tree_of_exceptions(name, bases):
    kind = getattr(exceptions, name)
    assert all(issubclass(kind, base) for base in bases)
    assert issubclass(kind, exceptions.MultiLLMError)


def test_surrogates_are_replaced_and_nothing_else():
    assert without_surrogates("a\ud800b\udfff 🙂你") == "a\ufffdb\ufffd 🙂你"


def test_controls_are_shown_and_text_stays():
    shown = with_controls_shown("a\x00\x1b[2J\x7f\x9b\u202e\u2066 🙂\tb\nc")
    assert shown == "a\\x00\\x1b[2J\\x7f\\x9b\\u202e\\u2066 🙂\tb\nc"


def test_told_apart_keeps_ids_that_differ():
    one, two = (ModelInfo(i, "n", "/p", ModelType.GGUF, 1) for i in ("a", "a#2"))
    assert [m.id for m in told_apart([one, two, one])] == ["a", "a#2", "a#3"]
    assert told_apart([one])[0] is one


def test_a_result_is_made_of_its_record_again() -> None:
    result = InferenceResult(
        "abc",
        "The answer",
        True,
        "It broke off.",
        InferenceStats(10.0, 12.5, 7, 3.5, 1000, finish_reason="error", disturbed=["decode"]),
        error_kind="crashed",
        state=RunState.FAILED,
        model=ModelInfo("abc", "A model", "/somewhere/a.gguf", ModelType.GGUF, 5),
        config={"seed": 3},
        config_sources={"seed": "drawn"},
        prompt=PromptReport("<s>hi", "gguf", 0, [{"role": "user", "content": "hi"}]),
        engine={"name": "llama.cpp", "fallbacks": ["Slow."]},
        receipt={"peak_bytes": 3},
        log_tail="line",
        notice="Read this.",
        thinking=Thinking("Hm.", 2, 0.5),
    )
    assert InferenceResult.from_record(json.loads(json.dumps(result.to_record()))) == result


def test_a_record_of_another_version_is_read_as_far_as_it_goes() -> None:
    of_another = {"later": 1, "stats": {"x": 1}}
    record = {"model": {"id": "abc"}, "content": "hi", "state": "done", **of_another}
    result = InferenceResult.from_record(record)
    assert (result.model_id, result.content, result.model) == ("abc", "hi", None)
    assert (result.stats.start_time, result.stats.token_count) == (0.0, 0)
