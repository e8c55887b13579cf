"""KV caches of smaller numbers, and adapters, in whatever builds of llama.cpp are installed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from wide_gguf import write_wide_gguf

from comparator.core.config import KV_CACHE_TYPES, ModelConfig
from comparator.core.exceptions import EngineMissingError, ModelLoadError
from runners.engines.gguf import adapter, library, lora
from runners.engines.gguf.inferencer import GGUFInferencer
from runners.engines.gguf.model import GGUFContext, GGUFModel

NAMES = ("llama_cpp", "xllamacpp")
TOKENS = [5, 6, 7, 8, 9, 10, 11]


@pytest.fixture(params=NAMES)
def llama(request: pytest.FixtureRequest) -> Any:
    pytest.importorskip(request.param)
    return library.of_name(request.param)


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wide_gguf(tmp_path_factory.mktemp("models") / "wide.gguf")


def scores(model: GGUFModel, **settings: str) -> list[float]:
    context = GGUFContext(model, 256, 1, **settings)
    try:
        assert context.read(TOKENS, lambda: False)
        return [context.logits()[n] for n in range(context.vocabulary_size)]
    finally:
        context.close()


def test_every_type_has_the_number_that_the_library_names(llama: Any) -> None:
    assert [adapter.cache_type(llama, name) for name in KV_CACHE_TYPES] == [1, 8, 2]


def test_a_type_that_is_called_otherwise_is_refused(
    llama: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "_CACHE_TYPES", {"q8_0": 2})
    with pytest.raises(EngineMissingError, match="its type 2 is not q8_0"):
        adapter.cache_type(llama, "q8_0")
    monkeypatch.setattr(adapter, "ggml_of", lambda _llama: SimpleNamespace())
    with pytest.raises(EngineMissingError, match="does not name its types"):
        adapter.cache_type(llama, "q8_0")


def test_a_cache_of_smaller_numbers_is_used_and_is_smaller(llama: Any, model_path: Path) -> None:
    model = GGUFModel.load(str(model_path), llama=llama)
    sizes, found = {}, {}
    for name in KV_CACHE_TYPES:
        with library.log_kept(quiet=True) as log:
            found[name] = scores(model, cache_type=name)
        (line,) = (line for line in "".join(log).splitlines() if "KV buffer size" in line)
        sizes[name] = float(line.split("=")[1].split("MiB")[0])
    model.close()
    assert sizes["f16"] > sizes["q8_0"] > sizes["q4_0"]
    assert found["f16"] != found["q8_0"] != found["q4_0"]
    spread = max(found["f16"]) - min(found["f16"])
    pairs = zip(found["f16"], found["q8_0"], strict=True)
    assert max(abs(a - b) for a, b in pairs) < 0.1 * spread


def load(path: Path, settings: dict[str, Any], **config: Any) -> GGUFInferencer:
    inferencer = GGUFInferencer()
    inferencer.verdict = {"settings": settings}
    inferencer.load_model(str(path), asdict(ModelConfig(n_ctx=256, n_threads=1, **config)))
    return inferencer


def test_without_flash_attention_the_values_stay_and_it_is_said(
    model_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("llama_cpp")
    inferencer = load(model_path, {"flash_attention": "off"}, kv_cache_type="q8_0", max_tokens=3)
    (said,) = inferencer.fallbacks
    assert "only the keys are kept as q8_0" in said
    assert "".join(inferencer.generate_stream("ab")) is not None
    inferencer.unload_model()
    assert load(model_path, {}, kv_cache_type="q8_0").fallbacks == []
    capfd.readouterr()


def test_heads_that_do_not_fill_a_block_are_refused_by_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("llama_cpp")
    path = write_wide_gguf(tmp_path / "heads of 16.gguf", head_count=16, head_count_kv=8)
    with pytest.raises(ModelLoadError, match=r"as q8_0 \(.*Set kv_cache_type to f16"):
        load(path, {}, kv_cache_type="q8_0")
    capfd.readouterr()


def test_a_llama_cpp_without_adapters_refuses_them_alone(model_path: Path) -> None:
    without = SimpleNamespace(llama_adapter_lora_init=None)
    assert lora.LoadedAdapters(without, 1, []) is not None
    with pytest.raises(EngineMissingError, match="no function llama_adapter_lora_init"):
        lora.LoadedAdapters(without, 1, [lora.Adapter(str(model_path))])
    more = SimpleNamespace(argtypes=[1, 2, 3])
    with pytest.raises(EngineMissingError, match="llama_adapter_lora_init takes 3 arguments"):
        lora.LoadedAdapters(
            SimpleNamespace(llama_adapter_lora_init=more), 1, [lora.Adapter(str(model_path))]
        )
