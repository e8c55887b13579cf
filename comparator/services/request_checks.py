"""What of a question's models and settings is checked before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo


def checked_models(models: Sequence[ModelInfo]) -> list[ModelInfo]:
    """Return the models.

    Raises:
        ConfigurationError: there are none, or one is none.
    """
    if not models:
        raise ConfigurationError("Choose at least one model.")
    for model in models:
        if not isinstance(model, ModelInfo):
            raise ConfigurationError(f"A model must be a ModelInfo, not {type(model).__name__}.")
    return list(models)


def settings_of(
    model: ModelInfo, configs: Mapping[str, ModelConfig], system_prompt: str | None
) -> ModelConfig:
    """Return a model's settings, checked, as a copy.

    Args:
        model: whose; by its id, or by the id that it has without a number.
        configs: settings by model id; the usual ones where there are none.
        system_prompt: for settings without one.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    config = configs.get(model.id) or configs.get(model.id.partition("#")[0]) or ModelConfig()
    if not isinstance(config, ModelConfig):
        config = ModelConfig.from_dict(config)
    if system_prompt and not config.system_prompt:
        config = replace(config, system_prompt=system_prompt)
    config = replace(config)  # a copy: the caller may change theirs while this runs
    config.validate()
    return config
