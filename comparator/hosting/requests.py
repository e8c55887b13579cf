"""What a visitor of the page or of its endpoints asks for, and how it becomes a request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.config_text import parse_settings
from comparator.core.exceptions import ConfigurationError, ModelNotFoundError
from comparator.core.limits import MOST_MODELS
from comparator.core.models import ModelInfo, told_apart
from comparator.services.model_manager import ModelManager

PER_MODEL = "per_model"
FOREIGN_CODE = "trust_remote_code"
NO_FOREIGN_CODE = (
    f"{FOREIGN_CODE} is refused on a page that others can reach, since it lets a model's own code "
    "run on this machine. Use a page that only this machine can reach, without --share."
)


@dataclass(frozen=True)
class Choice:
    """One chosen model, by id, with settings of its own."""

    model_id: str
    own_settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """A prompt for up to four models.

    Attributes:
        prompt: the question.
        choices: the chosen models, in the order of the columns.
        system_prompt: what every model is told before the prompt.
        settings: fields of a ModelConfig, for all models.
        together: run all models at once where the memory allows it.
    """

    prompt: str
    choices: Sequence[Choice]
    system_prompt: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    together: bool = False


def models_and_configs(
    question: Question, manager: ModelManager
) -> tuple[list[ModelInfo], dict[str, ModelConfig]]:
    """Return the models that a question means and each one's settings, by unique id.

    Raises:
        ConfigurationError: no model or too many, one that cannot be loaded, a wrong setting.
        ModelNotFoundError: no available model has such an id or name.
    """
    if not question.choices:
        raise ConfigurationError("Choose at least one model.")
    if len(question.choices) > MOST_MODELS:
        raise ConfigurationError(
            f"Choose up to {MOST_MODELS} models; {len(question.choices)} were given."
        )
    models = told_apart(_model(choice.model_id, manager) for choice in question.choices)
    configs = {
        model.id: ModelConfig.from_dict(
            {"system_prompt": question.system_prompt, **question.settings, **choice.own_settings}
        )
        for model, choice in zip(models, question.choices, strict=True)
    }
    return models, configs


def refuse_foreign_code(question: Question) -> None:
    """Refuse ``trust_remote_code``, however it was asked for.

    Raises:
        ConfigurationError: the question, or one of its models, wants it.
    """
    for settings in (question.settings, *(choice.own_settings for choice in question.choices)):
        if settings.get(FOREIGN_CODE, False) is not False:
            raise ConfigurationError(NO_FOREIGN_CODE)


def from_page(
    prompt: str,
    system_prompt: str,
    chosen: Sequence[tuple[str | None, str]],
    form: Mapping[str, Any],
    together: bool,
) -> Question:
    """Read the page's form.

    Args:
        prompt: the question.
        system_prompt: what every model is told first.
        chosen: pairs of a model's id (empty or None for none) and its own settings as text.
        form: settings of all models, by name, as the page's fields hold them: ``seed`` and
            ``n_threads`` as text, ``stop`` as lines, ``greedy`` in place of ``do_sample``.
        together: run all models at once where the memory allows it.

    Raises:
        ConfigurationError: a field or the settings of a column cannot be read.
    """
    choices = [Choice(str(m), _own_settings(number, text)) for number, m, text in _numbered(chosen)]
    settings = dict(form)
    settings["stop"] = stop_strings(settings.get("stop") or "")
    settings["do_sample"] = not settings.pop("greedy", False)
    for name in ("seed", "n_threads"):
        settings[name] = _whole_number(name, settings.get(name))
    return Question(prompt, choices, system_prompt or "", settings, together)


def from_endpoint(prompt: Any, models: Any, system_prompt: Any, config: Any) -> Question:
    """Check what came through an endpoint, where nothing bounds types or values.

    Raises:
        ConfigurationError: says which argument is wrong and what would be right.
    """
    if not isinstance(prompt, str):
        raise ConfigurationError(f"prompt must be text, not {_kind(prompt)}.")
    if system_prompt is not None and not isinstance(system_prompt, str):
        raise ConfigurationError(f"system_prompt must be text, not {_kind(system_prompt)}.")
    names = _names(models)
    settings = dict(_mapping("config", {} if config is None else config))
    per_model = _mapping(PER_MODEL, settings.pop(PER_MODEL, {}))
    together = settings.pop("together", False)
    if not isinstance(together, bool):
        raise ConfigurationError("together must be true or false.")
    _refuse_strangers(per_model, names)
    choices = [
        Choice(name, _mapping(f"{PER_MODEL} of {key}", per_model.get(key, per_model.get(name, {}))))
        for name, key in zip(names, _keys(names), strict=True)
    ]
    return Question(prompt, choices, system_prompt or "", settings, together)


def stop_strings(text: str) -> list[str]:
    r"""Return the stop texts of a form: one a line, with ``\n`` and ``\t`` as escapes."""
    lines = [line for line in (text or "").split("\n") if line.strip()]
    return [line.replace("\\n", "\n").replace("\\t", "\t") for line in lines]


def _whole_number(name: str, value: Any) -> int | None:
    text = str(value if value is not None else "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise ConfigurationError(f"{name} must be a whole number or empty, not {text[:40]!r}.")
    return int(text)


def _model(wanted: str, manager: ModelManager) -> ModelInfo:
    """Return the available model of that id or name; a path is never taken from a visitor."""
    model = manager.get_model_by_id(wanted)
    if model is None:
        named = [other for other in manager.available_models if other.name == wanted]
        if len(named) > 1:
            ids = ", ".join(other.id for other in named)
            raise ModelNotFoundError(f"Several models are named {wanted!r}. Use an id: {ids}.")
        if not named:
            raise ModelNotFoundError(f"No model {wanted[:80]!r}. {_there_are(manager)}")
        model = named[0]
    if model.problem:
        raise ConfigurationError(f"{model.name} cannot be loaded: {model.problem}")
    return model


def _there_are(manager: ModelManager) -> str:
    names = ", ".join(m.name for m in manager.available_models[:20] if not m.problem)
    return f"There are: {names}." if names else "There are no models yet."


def _numbered(chosen: Sequence[tuple[str | None, str]]) -> list[tuple[int, str, str]]:
    return [(number, m, text) for number, (m, text) in enumerate(chosen, start=1) if m]


def _own_settings(number: int, text: str) -> dict[str, Any]:
    try:
        return parse_settings(text or "")
    except ConfigurationError as error:
        raise ConfigurationError(f"Own settings of model {number}: {error}") from error


def _names(models: Any) -> list[str]:
    if isinstance(models, str):
        try:
            parsed = json.loads(models)
        except (ValueError, RecursionError):
            parsed = models
        models = parsed if isinstance(parsed, list) else [models]
    if not isinstance(models, list) or not all(isinstance(name, str) for name in models):
        raise ConfigurationError("models must be a list of ids or names of models.")
    return models


def _keys(names: Sequence[str]) -> list[str]:
    """Return ``name`` for the first of a name and ``name#2`` for the second, and so on."""
    keys: list[str] = []
    for position, name in enumerate(names):
        count = list(names[: position + 1]).count(name)
        keys.append(name if count == 1 else f"{name}#{count}")
    return keys


def _refuse_strangers(per_model: Mapping[str, Any], names: Sequence[str]) -> None:
    for key in per_model:
        if key not in names and key not in _keys(names):
            raise ConfigurationError(
                f"{PER_MODEL} names {str(key)[:60]!r}, which is not among the models asked."
            )


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} must be an object of settings, not {_kind(value)}.")
    return value


def _kind(value: Any) -> str:
    names = {"NoneType": "null", "dict": "an object", "list": "a list", "bool": "true or false"}
    name = type(value).__name__
    return names.get(name, "a number" if name in ("int", "float") else name)
