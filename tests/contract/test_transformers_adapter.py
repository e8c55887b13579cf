"""What the PyTorch engine rests on and nobody promises: found where it is, missed where it is gone.

These tests run against the lowest, the pinned and the newest allowed transformers. Each thing is
taken away in turn: the answer stays right, and what became slower or less safe is said.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from model_files import write_directory

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.services.inference_engine import InferenceEngine
from runners.engines.pytorch import adapter, dequantize, loading, progress, ways
from runners.engines.pytorch import prompt as prompts
from runners.engines.pytorch.detokenizer import Detokenizer
from runners.engines.pytorch.inferencer import PyTorchInferencer

torch = pytest.importorskip("torch")

CPU = torch.device("cpu")
TOKENS = [5, 9, 2, 77, 31, 8, 40, 6, 90, 12, 33, 4]
SIZES = {
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
# Of many makers: plain, with windows, with biases and tied weights, with special inputs.
KINDS = ["llama", "qwen2", "qwen3", "mistral", "gemma", "gemma2", "phi3", "granite", "olmo2"]


def make_model(kind: str = "llama") -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    more = {"head_dim": 8} if kind.startswith("gemma") else {}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SIZES, **more)).eval()
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.3)
    return model


def scores_of(model: Any, way: ways.Way) -> Any:
    """Return the scores after each of the last tokens, read one by one."""
    stepper = way.stepper(model, CPU)
    with torch.inference_mode():
        scores = [stepper.read(TOKENS[:7], lambda: False)]
        scores += [stepper.step(token) for token in TOKENS[7:]]
    return torch.stack(scores)


def found_and_right(model: Any) -> ways.Way:
    """Return the way found for a model, once its scores are those of one pass without a cache."""
    way = ways.find(model, CPU, TOKENS)
    with torch.inference_mode():
        expected = model(input_ids=torch.tensor([TOKENS]), use_cache=False).logits[0, 6:]
    error = (scores_of(model, way) - expected).abs().max() / expected.abs().max()
    assert error < 1e-4
    return way


def said(way: ways.Way) -> str:
    return " ".join(way.sentences(loading.engine_version()))


# ---- how tokens are decoded ----


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_slower_than_it_could_be(kind: str) -> None:
    way = found_and_right(make_model(kind))
    assert way.kind == (ways.PREPARED if kind == "phi3" else ways.CACHED)
    assert (way.growing, way.keeps_logits, said(way)) == (True, True, "")


def test_a_cache_name_behind_a_wrapper_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    real = type(model).forward
    own = adapter.cache_names(model)[0]

    def wrapped(self: Any, input_ids: Any = None, position_ids: Any = None, **others: Any) -> Any:
        if "cache_params" in others:
            others[own] = others.pop("cache_params")
        elif own in others:
            raise TypeError(f"forward() got an unexpected keyword argument {own!r}")
        return real(self, input_ids=input_ids, position_ids=position_ids, **others)

    monkeypatch.setattr(type(model), "forward", wrapped)
    way = ways.find(model, CPU, TOKENS)
    assert (way.kind, way.cache_name) == (ways.CACHED, "cache_params")


def test_a_cache_name_of_a_later_version_is_missed_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    real = type(model).forward

    def renamed(
        self: Any,
        input_ids: Any,
        use_cache: bool = True,
        memory: Any = None,
        logits_to_keep: int = 0,
    ) -> Any:
        return real(self, input_ids=input_ids, use_cache=use_cache, logits_to_keep=logits_to_keep)

    monkeypatch.setattr(type(model), "forward", renamed)
    way = found_and_right(model)
    assert way.kind == ways.RECOMPUTING
    assert "read again for each token" in said(way)


def test_a_cache_that_is_swallowed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    real = type(model).forward

    def swallowing(self: Any, input_ids: Any, logits_to_keep: int = 0, **others: Any) -> Any:
        return real(self, input_ids=input_ids, logits_to_keep=logits_to_keep, use_cache=False)

    monkeypatch.setattr(type(model), "forward", swallowing)
    way = found_and_right(model)
    assert way.kind == ways.RECOMPUTING
    assert "is not used" in said(way)


def test_other_numbers_with_the_cache_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    growing = adapter.growing_layer_class()
    update = growing.update

    def forgetful(self: Any, keys: Any, values: Any, *others: Any, **more: Any) -> Any:
        kept, mixed = update(self, keys, values, *others, **more)
        return (kept, mixed * 1.2) if keys.shape[-2] == 1 else (kept, mixed)

    monkeypatch.setattr(growing, "update", forgetful)
    way = found_and_right(model)
    assert (way.kind, way.growing) == (ways.CACHED, False)
    assert "of their size apart" in said(way)


def test_a_cache_that_is_copied_for_each_token_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_GROWTH_TOKENS", 1)
    enlarged = adapter.growing_layer_class()._enlarged

    def without_room(self: Any, index: int, states: Any, start: int, end: int) -> Any:
        return enlarged(self, index, states, start, end - 1)

    monkeypatch.setattr(adapter.growing_layer_class(), "_enlarged", without_room)
    way = found_and_right(make_model())
    assert (way.kind, way.growing) == (ways.CACHED, False)
    assert "is copied for each new one" in said(way)


def test_layers_that_cannot_be_replaced_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import DynamicCache

    class Fixed(DynamicCache):
        """Keeps the layers that it made."""

        def __setattr__(self, name: str, value: Any) -> None:
            if name != "layers" or "layers" not in self.__dict__:
                super().__setattr__(name, value)

    monkeypatch.setattr("transformers.DynamicCache", Fixed)
    way = found_and_right(make_model())
    assert (way.kind, way.growing) == (ways.CACHED, False)
    assert "layers of the cache cannot be replaced" in said(way)


def test_without_the_layer_that_ours_is_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_gone() -> Any:
        raise ImportError("cannot import name 'DynamicLayer'")

    monkeypatch.setattr(adapter, "growing_layer_class", is_gone)
    way = found_and_right(make_model())
    assert (way.kind, way.growing) == (ways.CACHED, False)
    assert "cannot be replaced by ones that grow in place" in said(way)


@pytest.mark.parametrize("kind", ["llama", "phi3"])
def test_without_the_helpers_of_generate(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    from transformers.generation import GenerationMixin

    for name in (
        "_prepare_position_ids_for_generation",
        "_update_model_kwargs_for_generation",
        "_supports_default_dynamic_cache",
    ):
        monkeypatch.delattr(GenerationMixin, name, raising=False)
    way = found_and_right(make_model(kind))
    assert way.kind == (ways.PREPARED if kind == "phi3" else ways.CACHED)
    assert said(way) == ""


def test_scores_of_a_whole_prompt_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    real = type(model).forward

    def all_scores(self: Any, *arguments: Any, **options: Any) -> Any:
        options.pop("logits_to_keep", None)
        return real(self, *arguments, **options)

    monkeypatch.setattr(type(model), "forward", all_scores)
    way = ways.find(model, CPU, TOKENS)
    assert not way.keeps_logits
    assert "logits_to_keep" in said(way)


def test_a_model_of_nan_is_left_to_the_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    with torch.no_grad():
        model.get_output_embeddings().weight.fill_(torch.nan)
    way = ways.find(model, CPU, TOKENS)
    assert way.kind == ways.CACHED
    assert "could not be tried" in said(way)


def test_tokens_beyond_the_vocabulary_are_not_tried() -> None:
    assert ways.find(make_model(), CPU, [1000] * 8).kind == ways.CACHED


def test_graphs_need_a_counter_that_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    if adapter.knows_graphs():
        assert adapter.can_be_recorded(model)
        monkeypatch.setattr(adapter, "_counter", lambda layer: None)
    assert not adapter.knows_graphs()
    assert not adapter.can_be_recorded(model)
    assert "recorded graph" in ways.no_graphs(loading.engine_version())


# ---- what is remembered ----


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_directory(tmp_path_factory.mktemp("adapter") / "tiny")


def load(folder: Path | str, verdict: dict[str, Any] | None = None) -> PyTorchInferencer:
    inferencer = PyTorchInferencer()
    inferencer.verdict = verdict or {}
    inferencer.load_model(str(folder), asdict(ModelConfig(n_threads=1, max_tokens=6)))
    return inferencer


def test_what_was_found_is_not_looked_for_again(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    first = load(folder)
    learned = json.loads(json.dumps(first.learned))
    monkeypatch.setattr(ways, "find", None)
    again = load(folder, {"learned": learned})
    assert (again.way, again.fallbacks, again.learned) == (first.way, first.fallbacks, learned)


@pytest.mark.parametrize("damage", ["versions", "kind", "shape", "text"])
def test_what_was_found_elsewhere_is_looked_for_again(folder: Path, damage: str) -> None:
    ((key, fields),) = load(folder).learned.items()
    slow = {**fields, "kind": ways.RECOMPUTING, "cache_name": ""}
    learned: Any = {
        "versions": {key.replace("torch 2", "torch 1"): slow},
        "kind": {key: {**fields, "kind": "faster"}},
        "shape": {key: {**fields, "growing": "yes"}},
        "text": "cached",
    }[damage]
    again = load(folder, {"learned": learned})
    assert again.way == ways.CACHED
    assert again.learned[key] == fields


# ---- loading ----


@pytest.mark.parametrize("missing", ["missing_keys", "mismatched_keys", "error_msgs", "all"])
def test_a_load_that_tells_nothing_of_its_weights_is_refused(
    monkeypatch: pytest.MonkeyPatch, folder: Path, missing: str
) -> None:
    real = loading._first_that_loads

    def silent(path: str, arguments: dict[str, Any]) -> Any:
        model, info = real(path, arguments)
        if missing == "all":
            return model, None
        return model, {name: found for name, found in info.items() if name != missing}

    monkeypatch.setattr(loading, "_first_that_loads", silent)
    with pytest.raises(ModelLoadError, match=r"does not say which weights .* Refused"):
        load(folder)


def test_attention_that_a_model_lacks_is_said(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    from transformers import AutoModelForCausalLM

    real = AutoModelForCausalLM.from_pretrained

    def without_sdpa(*arguments: Any, **options: Any) -> Any:
        if options["attn_implementation"] != "eager":
            raise ValueError("This model knows one attention alone.")
        return real(*arguments, **options)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", without_sdpa)
    inferencer = load(folder)
    (sentence,) = inferencer.fallbacks
    assert "computed the plain way (eager)" in sentence
    assert "".join(inferencer.generate_stream("ab")) is not None


def test_what_fails_with_any_attention_fails_as_it_did_first(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    from transformers import AutoModelForCausalLM

    def fails(*_arguments: Any, **options: Any) -> Any:
        raise ValueError(f"broken with {options['attn_implementation']}")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", fails)
    with pytest.raises(ModelLoadError, match="broken with sdpa"):
        load(folder)


def test_bars_of_the_loader_are_heard(folder: Path) -> None:
    told: list[tuple[str, float, float]] = []
    inferencer = PyTorchInferencer()
    inferencer.report_progress = lambda *step: told.append(step)
    inferencer.load_model(str(folder), asdict(ModelConfig(n_threads=1)))
    heard = [step for step in told if step[0] == "weights" and step[1] > 0]
    hook = pytest.importorskip("transformers").utils.logging
    assert bool(heard) == hasattr(hook, "set_tqdm_hook")


def test_a_load_without_bars_tells_the_memory_that_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("transformers.utils.logging.set_tqdm_hook", raising=False)
    monkeypatch.setattr(progress, "_LOOK_SECONDS", 0.01)
    sizes = iter(range(1000, 10**9, 1000))
    monkeypatch.setattr(progress, "_resident_bytes", lambda: next(sizes))
    told: list[tuple[str, float, float]] = []
    enough = threading.Event()

    def tell(*step: Any) -> None:
        told.append(step)
        if len(told) == 3:
            enough.set()

    with progress.load_reported(tell, 5000):
        assert enough.wait(60)
    assert told[:3] == [("weights", 1000, 5000), ("weights", 2000, 5000), ("weights", 3000, 5000)]


def test_a_load_that_takes_no_memory_any_more_is_no_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "_LOOK_SECONDS", 0.001)
    looked = threading.Event()
    sizes = iter([1000, 2000, 2000, 2000, 1500])

    def size() -> int:
        now = next(sizes, None)
        if now is None:
            looked.set()
        return now or 1500

    monkeypatch.setattr(progress, "_resident_bytes", size)
    told: list[Any] = []
    with progress.load_reported(lambda *step: told.append(step), 5000):
        assert looked.wait(60)
    assert told == [("weights", 1000, 5000)]


def test_unknown_and_foreign_architectures_are_refused_by_name(
    tmp_path: Path, folder: Path
) -> None:
    content = json.loads((folder / "config.json").read_text())
    for kind, words in (
        ("llama9", "'llama9' of config.json is not known"),
        (["llama"], "is not known"),
        ("t5", "no causal language model"),
    ):
        (tmp_path / "config.json").write_text(
            json.dumps({**content, "model_type": kind, "architectures": None})
        )
        with pytest.raises(ModelLoadError, match=words):
            loading.load_config(str(tmp_path), False)


def test_a_gguf_is_read_as_ordinary_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    known = hasattr(transformers, "GgufConfig")
    assert ("quantization_config" in adapter.whole_numbers_of_gguf()) == known
    monkeypatch.setattr("transformers.GgufConfig", None, raising=False)
    assert adapter.whole_numbers_of_gguf() == {}


def test_a_starter_folder_of_other_numbers_is_refused() -> None:
    with pytest.raises(ModelLoadError, match="did not turn the weights of a into bfloat16"):
        dequantize._check_whole(make_model(), "a")
    dequantize._check_whole(make_model().to(torch.bfloat16), "a")


# ---- tokenizers ----


@pytest.fixture
def tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def special_of(tokenizer: Any) -> tuple[str, int]:
    return next(iter(prompts.special_tokens(tokenizer).items()))


class Swallowing:
    """A tokenizer that takes every option and heeds those that it knows."""

    def __init__(self, tokenizer: Any, *unknown: str, refuses: bool = False) -> None:
        self._tokenizer, self._unknown, self._refuses = tokenizer, unknown, refuses

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __call__(self, text: str, **options: Any) -> Any:
        for name in self._unknown:
            if self._refuses and name in options:
                raise TypeError(f"unexpected keyword argument {name!r}")
            options.pop(name, None)
        return self._tokenizer(text, **options)


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize("unknown", [(), ("verbose",), ("split_special_tokens", "verbose")])
def test_a_typed_special_token_stays_text(
    tokenizer: Any, unknown: tuple[str, ...], refuses: bool
) -> None:
    name, number = special_of(tokenizer)
    text = f"a{name}b {name}{name}"
    config = ModelConfig(prompt_format="plain")
    swallowing = Swallowing(tokenizer, *unknown, refuses=refuses)
    prepared = prompts.make_prompt(swallowing, Conversation.of(text), config)
    around = tokenizer("", add_special_tokens=True)["input_ids"]
    assert prepared.tokens.count(number) == around.count(number)
    start = len(prompts._start(tokenizer))
    assert tokenizer.decode(prepared.tokens[start:]) == text
    is_cut = "split_special_tokens" in unknown or (refuses and bool(unknown))
    assert prepared.fallbacks == ((prompts.IN_PIECES,) if is_cut else ())


def test_the_option_for_special_tokens_is_heeded_here(tokenizer: Any) -> None:
    name, number = special_of(tokenizer)
    assert number in adapter.encode(tokenizer, name, add_special_tokens=False)
    tokens = adapter.encode(tokenizer, name, add_special_tokens=False, split_special_tokens=True)
    assert number not in tokens


class Without:
    """An object that lacks some attributes of another."""

    def __init__(self, whole: Any, *names: str) -> None:
        self.__dict__.update(_whole=whole, _names=names)

    def __getattr__(self, name: str) -> Any:
        if name in self._names:
            raise AttributeError(name)
        return getattr(self._whole, name)


def test_special_tokens_are_told_in_two_ways(tokenizer: Any) -> None:
    whole = adapter.special_tokens(tokenizer)
    other = adapter.special_tokens(Without(tokenizer, "added_tokens_decoder"))
    assert whole
    assert other
    assert other.items() <= whole.items()
    assert tokenizer.eos_token_id in other.values()


def test_ends_that_nobody_tells_are_said(tokenizer: Any, folder: Path) -> None:
    blind = Without(tokenizer, "added_tokens_decoder", "all_special_tokens")
    assert adapter.special_tokens(blind) is None
    (sentence,) = prompts.unknown_ends(blind, frozenset({2}))
    assert "cannot be listed" in sentence
    (sentence,) = prompts.unknown_ends(tokenizer, frozenset())
    assert "until max_tokens" in sentence
    assert prompts.unknown_ends(tokenizer, frozenset({2})) == []


@pytest.mark.parametrize("gone", ["class", "backend", "step"])
def test_text_without_a_stream_is_the_same_and_said(
    monkeypatch: pytest.MonkeyPatch, tokenizer: Any, gone: str
) -> None:
    tokens = tokenizer("Grüße, 世界 😀", add_special_tokens=False)["input_ids"]
    used = tokenizer
    if gone == "class":
        monkeypatch.delattr("tokenizers.decoders.DecodeStream")
    elif gone == "backend":
        used = Without(tokenizer, "backend_tokenizer")
    else:
        monkeypatch.setattr("tokenizers.decoders.DecodeStream", lambda **_options: object())
    detokenizer = Detokenizer(used)
    text = "".join(map(detokenizer.feed, tokens)) + detokenizer.rest()
    assert text == tokenizer.decode(tokens)
    assert "the slower way" in detokenizer.trouble
    monkeypatch.undo()
    quick = Detokenizer(tokenizer)
    assert "".join(map(quick.feed, tokens)) + quick.rest() == text
    assert quick.trouble == ""


# ---- the starter model ----


def test_the_starter_folder_is_decoded_the_fastest_way(starter_models: dict[str, str]) -> None:
    inferencer = load(starter_models["pytorch"])
    assert "".join(inferencer.generate_stream("Why is the sky blue?"))
    assert (inferencer.way, inferencer.fallbacks) == (ways.CACHED, [])


def test_the_starter_folder_falls_back_to_nothing_in_a_child(
    starter_models: dict[str, str],
) -> None:
    model = ModelInfo("", "starter", starter_models["pytorch"], ModelType.PYTORCH, 1)
    config = {model.id: ModelConfig(max_tokens=4, n_threads=1)}
    *_, last = InferenceEngine().run_inference("Why is the sky blue?", [model], config)
    (result,) = last.values()
    assert result.error is None
    assert (result.engine["way"], result.engine["fallbacks"]) == (ways.CACHED, [])
