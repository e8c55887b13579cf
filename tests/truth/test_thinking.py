"""Models that think, on both engines through child processes: thought and answer are apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import model_files
import pytest
import reasoning_model

from comparator.core.config import ModelConfig
from comparator.core.models import InferenceResult, ModelInfo
from comparator.services.inference_engine import InferenceEngine

SETTINGS: dict[str, Any] = {"do_sample": False, "repeat_penalty": 1.0, "n_threads": 1, "n_ctx": 512}
ENGINES = ("pytorch", "gguf")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ModelInfo]:
    """Return what makes a model of a kind, once."""
    folder = tmp_path_factory.mktemp("thinking")
    pairs = {
        name: reasoning_model.write_models(folder, *of, name=name)
        for name, of in (
            ("marked", reasoning_model.BY_CONTROL_TOKENS),
            ("opened", reasoning_model.OPENED_BY_THE_TEMPLATE),
        )
    }
    return lambda name, engine: model_files.as_model(pairs[name][ENGINES.index(engine)])


@pytest.fixture(scope="module")
def ask(made: Callable[..., ModelInfo]) -> Any:
    engine = InferenceEngine()

    def ask(name: str, of: str, **settings: Any) -> InferenceResult:
        model, config = made(name, of), ModelConfig(**{**SETTINGS, **settings})
        snapshots = list(engine.run_inference("q", [model], {model.id: config}))
        return snapshots[-1][model.id]

    yield ask
    engine.cleanup_resources()


@pytest.mark.parametrize("of", ENGINES)
def test_control_tokens_part_thought_and_answer(ask: Any, of: str) -> None:
    result = ask("marked", of)
    assert (result.error, result.content) == (None, "Fine!")
    assert (result.thinking.text, result.thinking.tokens) == ("so.", 5)
    stats = result.stats
    assert (stats.token_count, stats.finish_reason) == (10, "stop")
    assert stats.time_to_first_token < stats.time_to_first_answer_token
    assert result.thinking.seconds <= stats.time_to_first_answer_token


@pytest.mark.parametrize("of", ENGINES)
def test_a_template_opens_the_thought_and_the_model_closes_it(ask: Any, of: str) -> None:
    result = ask("opened", of)
    assert (result.error, result.content) == (None, "y")
    assert (result.thinking.text, result.thinking.tokens) == ("x", 9)
    assert result.prompt.rendered.endswith("<think>\n")


@pytest.mark.parametrize("of", ENGINES)
def test_a_thought_that_takes_all_tokens_is_said(ask: Any, of: str) -> None:
    result = ask("marked", of, max_tokens=4)
    assert (result.content, result.thinking.text) == ("", "so.")
    assert (result.stats.finish_reason, result.stats.time_to_first_answer_token) == ("length", None)
    assert "All 4 tokens were spent on thinking" in result.notice


@pytest.mark.parametrize("of", ENGINES)
@pytest.mark.parametrize(
    ("stop", "thought", "answer"),
    [("o", "s", ""), ("in", "so.", "F"), ("[/THINK]", "so.", "")],
)
def test_stop_texts_end_thoughts_as_well_as_answers(
    ask: Any, of: str, stop: str, thought: str, answer: str
) -> None:
    result = ask("marked", of, stop=[stop])
    assert (result.thinking.text, result.content) == (thought, answer)
    assert result.stats.finish_reason == "stop"
    assert ("Its stop texts end thoughts" in (result.notice or "")) == (not answer)


def test_the_marks_are_part_of_the_plain_stream_of_an_inferencer(
    made: Callable[..., ModelInfo],
) -> None:
    from runners.registry import create_inferencer

    for of in ENGINES:
        inferencer = create_inferencer(of)
        inferencer.load_model(made("marked", of).path, asdict(ModelConfig(**SETTINGS)))
        try:
            assert "".join(inferencer.generate_stream("q")) == "[THINK]so.[/THINK]Fine!"
        finally:
            inferencer.unload_model()
