"""What a slot may be asked besides its prompt: the maker's sampling, and room without a limit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import model_files
import pytest

from comparator.core.config import ModelConfig
from comparator.core.models import InferenceResult, ModelInfo, ModelType, told_apart
from comparator.services.inference_engine import InferenceEngine

ADVICE = {"do_sample": True, "temperature": 1.6, "top_k": 50, "top_p": 0.95}
GGUF_ADVICE = {"temp": 1.6, "top_k": 50, "top_p": 0.95}
PROMPT = "The quick brown fox"
CONTEXT = 512


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[ModelInfo]:
    """The same weights as a folder and as a file, whose maker advises a sampling."""
    from gguf import GGUFReader, GGUFWriter

    place = tmp_path_factory.mktemp("makers")
    folder = model_files.write_directory(place / "tiny")
    model_files.change_json(folder / "generation_config.json", **ADVICE)
    plain = model_files.write_gguf(place / "plain.gguf", folder)
    path = place / "tiny.gguf"
    _with_advice(GGUFReader(plain), GGUFWriter(path, "llama"))
    return [model_files.as_model(path), model_files.as_model(folder)]


def _with_advice(reader: Any, writer: Any) -> None:
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            kinds = field.types
            writer.add_key_value(name, field.contents(), kinds[0], kinds[-1] if kinds[1:] else None)
    writer.add_float32("general.sampling.temp", GGUF_ADVICE["temp"])
    writer.add_int32("general.sampling.top_k", GGUF_ADVICE["top_k"])
    writer.add_float32("general.sampling.top_p", GGUF_ADVICE["top_p"])
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data.copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def ask(models: list[ModelInfo], *configs: ModelConfig) -> list[InferenceResult]:
    named = told_apart(models)
    settings = {model.id: config for model, config in zip(named, configs, strict=True)}
    *_, last = InferenceEngine().run_inference(PROMPT, models, settings)
    return list(last.values())


def test_the_makers_sampling_answers_as_the_same_values_given(pair: list[ModelInfo]) -> None:
    usual = ModelConfig(max_tokens=24, seed=11, n_threads=1)
    makers = replace(usual, sampling="maker")
    given = replace(usual, temperature=1.6, top_k=50, top_p=0.95)
    results = ask([*pair, *pair], makers, makers, given, given)
    assert [result.error for result in results] == [None] * 4
    assert [result.content for result in results[:2]] == [r.content for r in results[2:]]
    for result, source in zip(results, ("maker", "maker", "given", "given"), strict=True):
        record = result.to_record()
        assert [record["config"][name] for name in ("temperature", "top_k")] == [1.6, 50]
        assert record["config_sources"]["temperature"] == source
        assert record["config_sources"]["seed"] == "given"
        assert record["config_sources"]["repeat_penalty"] == "default"
        assert record["config_sources"].keys() == record["config"].keys()
    (plain,) = ask(pair[:1], usual)
    assert plain.content != results[0].content
    assert plain.to_record()["config_sources"]["temperature"] == "default"


def test_without_a_limit_an_answer_fills_its_context(pair: list[ModelInfo]) -> None:
    """As much as fits is the model's own 512 here; a context of 80 is full after 80 tokens."""
    whole = ModelConfig(
        max_tokens=None, n_ctx=None, do_sample=False, repeat_penalty=1.0, n_threads=1
    )
    small = replace(whole, n_ctx=80)
    results = ask([*pair, *pair], whole, whole, small, small)
    for result, context in zip(results, (CONTEXT, CONTEXT, 80, 80), strict=True):
        assert result.error is None
        assert result.engine["context_length"] == context
        record = result.to_record()
        assert record["config"]["max_tokens"] is None
        assert record["config"]["n_ctx"] == (None if context == CONTEXT else context)
        used = record["stats"]["prompt_tokens"] + record["stats"]["token_count"]
        assert (used, record["stats"]["finish_reason"]) == (context, "length")


def test_what_an_engine_has_not_is_refused_by_name_before_it_is_started(
    pair: list[ModelInfo],
) -> None:
    (result,) = ask(pair[1:], ModelConfig(kv_cache_type="q8_0"))
    assert result.error_kind == "configuration"
    assert "kv_cache_type=q8_0 is for GGUF models alone; tiny is none" in (result.error or "")
    assert result.stats.load_seconds is None


def test_echo_takes_no_adapters(tmp_path: Path) -> None:
    path = tmp_path / "a.echo.json"
    path.write_text("{}")
    (result,) = ask([model_files.as_model(path, ModelType.ECHO)], ModelConfig(lora=["a"]))
    assert result.error_kind == "configuration"
    assert "takes no adapters" in (result.error or "")
