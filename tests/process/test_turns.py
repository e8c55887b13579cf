"""Conversations that go on, in real child processes: the echo engine and a class of one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from comparator.comparison.comparison import Comparison
from comparator.comparison.kept import kept
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import RunState
from comparator.core.results import Results
from comparator.services.inference_engine import InferenceEngine
from comparator.services.token_counts import ModelPromptSize
from runners.base import BaseInferencer

CUT = ModelConfig(max_tokens=2)


@pytest.fixture
def engine() -> InferenceEngine:
    return InferenceEngine()


def last(snapshots: Any) -> Results:
    *_, results = snapshots
    return results


def test_results_are_asked_on_each_model_behind_its_own_answer(
    engine: InferenceEngine, echo_model: Callable[..., Any]
) -> None:
    models = [echo_model(text[0], text=text) for text in ("A one.", "B two.")]
    first = last(engine.run_inference("Which?", models, system_prompt="Be brief."))
    further = last(engine.ask_on(first, "And then?"))
    assert list(further) == list(first)
    for model, result in zip(models, further.values(), strict=True):
        assert result.model == model
        assert result.prompt.messages == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Which?"},
            {"role": "assistant", "content": first[model.id].content},
            {"role": "user", "content": "And then?"},
        ]
    third = last(engine.ask_on(further, "And after that?"))
    assert {len(result.prompt.messages) for result in third.values()} == {6}
    assert "A one." in further._repr_html_()


def test_an_answer_that_hit_its_limit_goes_on_where_it_stopped(
    engine: InferenceEngine, echo_model: Callable[..., Any]
) -> None:
    model = echo_model("long", text="one two three four five")
    whole = echo_model("short", text="all")
    configs = {model.id: CUT, whole.id: CUT}
    cut = last(engine.run_inference("Count.", [model, whole], configs))
    assert cut[model.id].content == "one two "
    more = last(engine.go_on(cut))
    assert list(more) == [model.id], "the other one's answer is whole"
    assert "its answer is whole" in (more[model.id].notice or "")
    record = more[model.id].to_record()
    assert record["content"] == "one two three four "
    assert record["prompt"]["continued"] == len("one two ")
    assert record["prompt"]["messages"] == [{"role": "user", "content": "Count."}]
    assert record["prompt"]["rendered"] == "Count.one two "
    assert (record["stats"]["token_count"], record["stats"]["finish_reason"]) == (2, "length")
    end = last(engine.go_on(more))[model.id]
    assert (end.content, end.stats.finish_reason) == ("one two three four five", "stop")
    assert end.prompt.continued == len("one two three four ")
    with pytest.raises(ConfigurationError, match="its answer is whole"):
        engine.go_on({model.id: end})
    (asked,) = last(engine.ask_on({model.id: end}, "More?")).values()
    assert asked.prompt.messages[1]["content"] == "one two three four five"


def test_marks_of_thoughts_in_what_is_gone_on_with_are_text(
    engine: InferenceEngine, echo_model: Callable[..., Any]
) -> None:
    model = echo_model(text="one two </think> three")
    cut = last(engine.run_inference("Count.", [model], {model.id: CUT}))
    (more,) = last(engine.go_on(cut)).values()
    assert (more.content, more.thinking) == ("one two </think> three", None)


def test_a_comparison_of_the_history_is_asked_on_and_a_failed_column_left_out(
    engine: InferenceEngine, echo_model: Callable[..., Any]
) -> None:
    good, dead = echo_model("good"), echo_model("dead", fault="abort")
    comparison = engine.compare(engine.request("Why?", [good, dead, good]))
    assert comparison.wait_until_ended(60)
    comparison.settle()
    earlier = kept(comparison.request, comparison.results())
    engine.finish(comparison)
    further = last(engine.ask_on(earlier, "And?"))
    assert list(further) == [good.id, f"{good.id}#2"]
    for result in further.values():
        assert result.state is RunState.DONE
        assert "is left out: it has no answer to go on from, since it failed" in result.notice


@pytest.mark.parametrize("earlier", [None, "x", {"a": "b"}, {}])
def test_what_is_no_comparison_is_not_asked_on(engine: InferenceEngine, earlier: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"To ask on, give the results|has no columns"):
        engine.ask_on(earlier, "And?")


class Telling(BaseInferencer):
    """A class of one's own that knows texts alone, and answers with what it was asked."""

    def load_model(self, model_path: str, config: dict[str, Any]) -> None:
        self.is_loaded = True

    def generate_stream(self, prompt: str) -> Any:
        yield f" after {prompt!r}"

    def unload_model(self) -> None:
        self.is_loaded = False

    def get_model_info(self) -> dict[str, Any]:
        return {}


def test_an_inferencer_of_ones_own_is_told_the_begin_of_its_answer_in_the_text(
    engine: InferenceEngine, echo_model: Callable[..., Any]
) -> None:
    engine.register_inferencer_factory(lambda _model: Telling())
    asked = Conversation.of("Once").continuing(" upon")
    (result,) = last(engine.run_inference(asked, [echo_model()])).values()
    assert result.content == " upon after 'Once upon'"
    assert engine.prompt_tokens(engine.request("Why?", [echo_model()])) == [None]


def test_a_prompt_is_counted_by_a_child_that_is_gone_then(
    engine: InferenceEngine, echo_model: Callable[..., Any]
) -> None:
    model = echo_model()
    configs = {model.id: ModelConfig(n_ctx=4)}
    fits, too_long = (engine.request(text, [model], configs) for text in ("a b c", "a b c d e"))
    assert engine.prompt_tokens(fits) == [3]
    assert engine.token_counts.of(fits) == [ModelPromptSize(3, 4)]
    (size,) = engine.token_counts.of(too_long)
    assert size is not None
    assert (size.tokens, size.context) == (5, 4)
    assert "The prompt has 5 tokens" in size.refusal
    (result,) = last(engine.stream(too_long)).values()
    assert result.error == size.refusal


def test_a_model_that_cannot_be_read_is_told_and_one_without_process_is_unknown(
    engine: InferenceEngine, echo_model: Callable[..., Any]
) -> None:
    model = echo_model()
    request = engine.request("Why?", [model])
    gone = replace(model, path=model.path + ".gone")
    slots = [replace(request.slots[0], model=gone)]
    (size,) = engine.token_counts.of(replace(request, slots=slots))
    assert size is not None
    assert "is not an echo model" in size.refusal
    assert size.tokens is None


def test_a_comparison_made_before_is_watched(
    engine: InferenceEngine, echo_model: Callable[..., Any]
) -> None:
    comparison = Comparison(engine.request("Why?", [echo_model()]))
    results = last(engine.watch(comparison))
    assert comparison.has_ended
    assert [result.content for result in results.values()] == ["Why?"]
