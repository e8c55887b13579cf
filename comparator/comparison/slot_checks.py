"""What may not be asked of a slot's model, known from its settings and its files alone."""

from __future__ import annotations

from comparator.comparison.request import Slot
from comparator.core.exceptions import ConfigurationError, MultiLLMError
from comparator.core.lora import adapter_of
from comparator.core.models import ModelInfo, ModelType
from comparator.library import adapters

_BY_OTHERS = (ModelType.CUSTOM,)  # whose inferencer says itself what it can do
_WITH_ADAPTERS = (ModelType.GGUF, ModelType.PYTORCH, *_BY_OTHERS)


def check(model: ModelInfo, kv_cache_type: str, lora: tuple[str, ...]) -> list[str]:
    """Refuse what a model's engine cannot do; return what is to be said of the rest.

    Raises:
        ConfigurationError: the setting that its engine does not have.
        ModelLoadError: an adapter that is none, or does not fit the model.
    """
    if kv_cache_type != "f16" and model.model_type not in (ModelType.GGUF, *_BY_OTHERS):
        raise ConfigurationError(
            f"kv_cache_type={kv_cache_type} is for GGUF models alone; {model.name} is none. "
            "Set it to f16, or choose a GGUF file of the same model."
        )
    if lora and model.model_type not in _WITH_ADAPTERS:
        raise ConfigurationError(
            f"{model.name} takes no adapters (lora); GGUF files and transformers folders do."
        )
    if model.model_type in _BY_OTHERS:
        return []
    return adapters.check(map(adapter_of, lora), model)


def said_of(slot: Slot) -> list[str]:
    """Return what a reader should know of a slot that may run: of its memory and its adapters."""
    try:
        said = check(slot.model, slot.config.kv_cache_type, slot.adapters)
    except MultiLLMError:  # a file was lost since: the load tells it
        said = []
    return [slot.estimate_notice, *said]
