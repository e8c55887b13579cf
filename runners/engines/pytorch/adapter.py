"""What transformers and tokenizers do not promise: touched here alone, and tried before use.

Each function says what it rests on. Where that is gone it returns None, or a thing that is slower
and right; whoever asked says so in the model's ``fallbacks``. Nothing here decides by a version.
"""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any

# What the memory of past tokens is called by forward: newest first. transformers 5.24 renamed
# the other two, and hides from a signature that it still takes them.
CACHE_NAMES = ("cache", "past_key_values", "cache_params")
_GROWTH_TOKENS = 256


# ---- a model's forward ----


def forward_parameters(model: Any) -> Any:
    """Return the parameters of a model's forward by name, those of its wrapped function."""
    return inspect.signature(type(model).forward).parameters


def takes_any_name(model: Any) -> bool:
    """Tell whether forward takes names that its signature does not list."""
    kinds = (parameter.kind for parameter in forward_parameters(model).values())
    return inspect.Parameter.VAR_KEYWORD in kinds


def cache_names(model: Any) -> list[str]:
    """Return what the cache may be called, the likeliest first; a trial has to decide.

    A name that is swallowed does nothing, and one that a wrapper hides may work.
    """
    named = [name for name in CACHE_NAMES if name in forward_parameters(model)]
    hidden = [name for name in CACHE_NAMES if name not in named and takes_any_name(model)]
    return [*named, *hidden] if may_have_cache(model) else []


def may_have_cache(model: Any) -> bool:
    """Tell whether transformers says that its usual cache fits; True where it no longer says."""
    says = getattr(model, "_supports_default_dynamic_cache", None)
    return bool(says()) if callable(says) else True


def is_stateful(model: Any) -> bool:
    """Tell whether forward names its cache as models with a running state did until 5.23."""
    return "cache_params" in forward_parameters(model)


def prepares_special_inputs(model: Any) -> bool:
    """Tell whether a model replaces what ``generate`` makes of the tokens before each step."""
    from transformers.generation import GenerationMixin

    names = ("prepare_inputs_for_generation", "_prepare_position_ids_for_generation")
    kind = type(model)
    return any(
        getattr(kind, name, None) is not getattr(GenerationMixin, name, None) for name in names
    )


def first_positions(model: Any, tokens: Any, arguments: dict[str, Any]) -> Any:
    """Return the position ids of a prompt, of shape (1, tokens) or as the model makes them."""
    import torch

    make = getattr(model, "_prepare_position_ids_for_generation", None)
    if callable(make):
        return make(tokens, arguments)
    return torch.arange(tokens.shape[1], device=tokens.device).unsqueeze(0)


def next_arguments(model: Any, output: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return forward's arguments for the token after an output: positions go on by one."""
    import torch

    update = getattr(model, "_update_model_kwargs_for_generation", None)
    if callable(update):
        return dict(update(output, arguments))
    positions = arguments.get("position_ids")
    if positions is not None:
        longer = torch.cat([positions, positions[..., -1:] + 1], dim=-1)
        arguments = {**arguments, "position_ids": longer}
    return arguments


# ---- the cache ----


def new_cache(model: Any, growing: bool = True) -> Any:
    """Return a cache for a model; its plain layers are ones that grow in place, where wanted.

    Raises:
        RuntimeError: its layers cannot be replaced.
    """
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    if growing:
        from transformers.cache_utils import DynamicLayer

        ours = growing_layer_class()
        layers = [ours() if type(layer) is DynamicLayer else layer for layer in cache.layers]
        cache.layers = layers
        if [*map(id, cache.layers)] != [*map(id, layers)]:
            raise RuntimeError("the layers of the cache cannot be replaced")
    return cache


def length_of(cache: Any) -> int | None:
    """Return how many tokens a cache holds; None where it does not count them."""
    try:
        return int(cache.get_seq_length())
    except Exception:  # a running state has no length; each kind of cache says so its own way
        return None


def takes_parts(cache: Any) -> bool:
    """Tell whether a prompt may be read in parts: attention layers only, no running state."""
    from transformers import cache_utils

    names = ("DynamicLayer", "DynamicSlidingWindowLayer")
    kinds = [_growing, *(getattr(cache_utils, name, None) for name in names)]
    layers = getattr(cache, "layers", None) or ()
    return bool(layers) and all(type(layer) in kinds for layer in layers)


def places_of_keys(cache: Any) -> list[int]:
    """Return where in memory the keys of our layers lie; the same after a token, or copied."""
    if _growing is None or cache is None:
        return []
    layers = [layer for layer in cache.layers if type(layer) is _growing]
    return [layer.keys.data_ptr() if layer.keys is not None else 0 for layer in layers]


def growing_layer_class() -> Any:
    """Return (and make, once) a cache layer that writes into spare room.

    The layer of transformers copies all keys and values for each new token.
    """
    global _growing
    if _growing is None:
        _growing = _make_growing_layer_class()
    return _growing


_growing: Any = None


def _make_growing_layer_class() -> Any:
    from transformers.cache_utils import DynamicLayer

    class GrowingLayer(DynamicLayer):  # type: ignore[misc]  # untyped where it is missing
        """Keys and values of one layer, of shape (batch, heads, tokens, size of a head)."""

        _room: Any = None

        def update(self, keys: Any, values: Any, *_args: Any, **_kwargs: Any) -> Any:
            if not self.is_initialized:
                self.lazy_initialization(keys, values)
                self._room = None
            start = self.get_seq_length()
            end = start + keys.shape[-2]
            if self._room is None or end > self._room[0].shape[-2]:
                self._room = (
                    self._enlarged(0, keys, start, end),
                    self._enlarged(1, values, start, end),
                )
            key_room, value_room = self._room
            key_room[:, :, start:end] = keys
            value_room[:, :, start:end] = values
            self.keys, self.values = key_room[:, :, :end], value_room[:, :, :end]
            return self.keys, self.values

        def _enlarged(self, index: int, states: Any, start: int, end: int) -> Any:
            tokens = -(-(end + 1) // _GROWTH_TOKENS) * _GROWTH_TOKENS
            shape = (*states.shape[:2], tokens, states.shape[3])
            room = states.new_empty(shape)
            if start:
                room[:, :, :start] = self._room[index][:, :, :start]
            return room

    return GrowingLayer


# ---- recorded graphs ----


def static_cache(model: Any, length: int) -> Any:
    """Return a cache of a fixed size in tokens."""
    from transformers import StaticCache

    return StaticCache(config=model.config.get_text_config(decoder=True), max_cache_len=length)


def can_be_recorded(model: Any) -> bool:
    """Tell whether a model's step is the same work each time.

    As transformers says of it, and with layers that count their tokens in a tensor, which a
    recorded step can write to; those of sliding windows count in Python.
    """
    from transformers.cache_utils import StaticLayer

    if not getattr(model, "_can_compile_fullgraph", False):
        return False
    layers = static_cache(model, 1).layers
    return all(type(layer) is StaticLayer and _counter(layer) is not None for layer in layers)


def knows_graphs() -> bool:
    """Tell whether transformers has what ``can_be_recorded`` rests on, for any model."""
    from transformers import PreTrainedModel
    from transformers.cache_utils import StaticLayer

    has_word = hasattr(PreTrainedModel, "_can_compile_fullgraph")
    return has_word and _counter(StaticLayer(max_cache_len=1)) is not None


def set_length(cache: Any, tokens: int) -> None:
    """Make the layers of a static cache believe that they hold so many tokens."""
    for layer in cache.layers:
        _counter(layer).fill_(tokens)


def _counter(layer: Any) -> Any:
    counter = getattr(layer, "cumulative_length", None)
    return counter if hasattr(counter, "fill_") else None


# ---- loading ----

# What ``output_loading_info`` has to tell: without it, weights could be random in silence.
_LOADING_INFORMATION = ("missing_keys", "mismatched_keys", "error_msgs")


def untold_of_loading(info: Any) -> str:
    """Return the names that are missing from what a load tells; empty where it tells all."""
    if not isinstance(info, dict):
        return type(info).__name__
    kinds = (list, tuple, set, frozenset)
    missing = [name for name in _LOADING_INFORMATION if not isinstance(info.get(name), kinds)]
    return ", ".join(missing)


def attention_of(model: Any) -> str | None:
    """Return the name of the attention that a model computes with; None where it is not told."""
    used = getattr(model.config.get_text_config(decoder=True), "_attn_implementation", None)
    return used if isinstance(used, str) else None


@contextlib.contextmanager
def bars_heard(make_bar: Callable[[Any, int | None], Any]) -> Iterator[None]:
    """Put bars of ours in the place of the loader's while the body runs, where that is possible.

    Args:
        make_bar: takes what is iterated over, or None, and its length, or None.
    """
    from transformers.utils import logging

    hook = getattr(logging, "set_tqdm_hook", None)
    if hook is None:  # before 5.6
        yield
        return

    def make(_factory: Any, arguments: Any, options: Any) -> Any:
        items = arguments[0] if arguments else options.get("iterable")
        return make_bar(items, options.get("total"))

    before = hook(make)
    try:
        yield
    finally:
        hook(before)


def whole_numbers_of_gguf() -> dict[str, Any]:
    """Return what ``from_pretrained`` has to be told to read a GGUF file as ordinary weights.

    Older versions know no other way to read one, and no name for it.
    """
    import transformers

    config = getattr(transformers, "GgufConfig", None)
    return {} if config is None else {"quantization_config": config(dequantize=True)}


# ---- tokenizers ----


def encode(tokenizer: Any, text: str, **options: Any) -> list[int]:
    """Return the tokens of a text; ``verbose`` keeps a warning about its length from the log."""
    try:
        return list(tokenizer(text, verbose=False, **options)["input_ids"])
    except TypeError:  # an option that a tokenizer does not take
        options.pop("split_special_tokens", None)
        return list(tokenizer(text, **options)["input_ids"])


def added_tokens(tokenizer: Any) -> list[str]:
    """Return the texts of a vocabulary that are one token each wherever they stand."""
    added = getattr(tokenizer, "added_tokens_decoder", None)
    return list(map(str, added.values())) if isinstance(added, dict) else []


def special_tokens(tokenizer: Any) -> dict[str, int] | None:
    """Return the special tokens of the vocabulary by their text; None where none can be told."""
    added = getattr(tokenizer, "added_tokens_decoder", None)
    if isinstance(added, dict):
        return {str(token): number for number, token in added.items() if token.special}
    names, numbers = (getattr(tokenizer, f"all_special_{kind}", None) for kind in ("tokens", "ids"))
    if names is None or numbers is None:
        return None
    return dict(zip(map(str, names), numbers, strict=False))


def renders_its_own_way(tokenizer: Any) -> bool:
    """Tell whether a tokenizer replaces how transformers applies a chat template."""
    from transformers import PreTrainedTokenizerBase

    names = ("apply_chat_template", "get_chat_template")
    usual = [getattr(PreTrainedTokenizerBase, name, None) for name in names]
    return None in usual or [getattr(type(tokenizer), name, None) for name in names] != usual


def backend_of(tokenizer: Any) -> Any:
    """Return the tokenizer of the tokenizers library inside; None where there is none."""
    return getattr(tokenizer, "backend_tokenizer", None)


def state_of(rule: Any) -> Any:
    """Return a part of a tokenizer (``pre_tokenizer``) as tokenizer.json has it, if it tells."""
    if rule is None:
        return None
    try:
        return json.loads(rule.__getstate__())
    except (AttributeError, TypeError, ValueError):
        return rule


def tokenizer_of_file(path: str) -> Any:
    """Return the tokenizer that a tokenizer.json describes; None where it cannot be read."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception:  # whatever the library raises: there is nothing to compare then
        return None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def mistral_pattern(tokenizer: Any) -> bool | None:
    """Tell what was done with a pattern that transformers calls wrong: True is mended."""
    said = getattr(backend_of(tokenizer), "fix_mistral_regex", None)
    return said if isinstance(said, bool) else None


def mended_tokenizer(folder: str) -> Any:
    """Return a folder's tokenizer with the pattern of Mistral's mended; None where not possible."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, fix_mistral_regex=True
        )
    except Exception:  # it loaded without: nothing can be compared then
        return None
    return tokenizer if mistral_pattern(tokenizer) else None


def stream_of(tokenizer: Any) -> Callable[[int], str | None] | None:
    """Return what turns one token after the other into text; None where there is no such thing.

    What it returns may raise at any token: a decoder that is not made for streams does.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    try:
        from tokenizers.decoders import DecodeStream

        stream = DecodeStream(skip_special_tokens=True)
    except (ImportError, TypeError):
        return None

    def step(token: int) -> str | None:
        text: str | None = stream.step(backend, token)
        return text

    return step


def is_in_python(tokenizer: Any) -> bool:
    """Tell whether a tokenizer is written in Python, which has no streams by its nature."""
    return not getattr(tokenizer, "is_fast", True)
