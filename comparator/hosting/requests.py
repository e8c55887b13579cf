"""What page, endpoint and command line are asked for, and how it becomes the engine's request.

Each of them makes a ``RequestDraft`` of what it was given; ``request_of`` does the rest for all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from comparator.comparison.request import Files, Request
from comparator.comparison.slot_settings import GivenSettings
from comparator.core.config import WITHOUT_A_LIMIT, ModelConfig
from comparator.core.config_text import (
    number_or_none,
    parse_settings,
    stop_strings,
    whole_number,
)
from comparator.core.conversation import Prompt
from comparator.core.dates import moment_of
from comparator.core.exceptions import ConfigurationError, ModelNotFoundError, MultiLLMError
from comparator.core.limits import MOST_MODELS
from comparator.core.lora import Adapter, adapter_of
from comparator.core.models import ModelInfo, told_apart
from comparator.core.setting_fields import FOREIGN_CODE as FOREIGN_CODE
from comparator.core.text import with_controls_shown
from comparator.library import adapters
from comparator.library.facts import sampling
from comparator.library.lookup import AdapterLookUp as AdapterLookUp
from comparator.library.lookup import LookUp as LookUp
from comparator.services.inference_engine import InferenceEngine
from comparator.services.model_manager import ModelManager

PER_MODEL = "per_model"
NO_FOREIGN_CODE = (
    f"{FOREIGN_CODE} is refused on a page that others can reach, since it lets a model's own code "
    "run on this machine. Use a page that only this machine can reach, without --share."
)
_WHOLE_NUMBERS = ("seed", "n_threads")  # which the page's form holds as text


@dataclass(frozen=True)
class SlotDraft:
    """One chosen model: what names it, and settings of its own."""

    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RequestDraft:
    """What is asked of whom, as it was given: nothing of it is checked yet.

    Attributes:
        prompt: the question, or the messages of a conversation.
        slots: the chosen models, in the order of the columns.
        system_prompt: what every model is told before the prompt.
        settings: fields of a ModelConfig, for all models.
        together: run all models at once where the memory allows it.
        files: whether the models' files are made cold or warm before each run.
        on_page: whether a browser on this machine shows the answers as they come.
        given: which of ``settings`` a person gave; None for all of them.
        date: what chat templates are told of the time; None for now.
    """

    prompt: Prompt
    slots: Sequence[SlotDraft]
    system_prompt: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    together: bool = False
    files: Files = Files.AS_THEY_ARE
    on_page: bool = False
    given: frozenset[str] | None = None
    date: str | None = None


def request_of(
    draft: RequestDraft,
    engine: InferenceEngine,
    look_up: LookUp,
    adapter: AdapterLookUp | None = None,
) -> Request:
    """Return what a draft asks of an engine.

    Args:
        draft: what was given.
        engine: what is to run it.
        look_up: returns the model of a name; what names are taken is the caller's to say.
        adapter: likewise for the path of an adapter; None takes paths alone.

    Raises:
        ConfigurationError: no model or too many, one that cannot be loaded, no prompt, or a
            wrong setting.
        ModelNotFoundError: a name means no model.
    """
    if len(draft.slots) > MOST_MODELS:
        raise ConfigurationError(
            f"Choose up to {MOST_MODELS} models; {len(draft.slots)} were given."
        )
    models = told_apart(look_up(slot.model) for slot in draft.slots)
    common = {"system_prompt": draft.system_prompt, **draft.settings}
    configs = {
        model.id: ModelConfig.from_dict({**common, **slot.settings})
        for model, slot in zip(models, draft.slots, strict=True)
    }
    given = {model.id: _given(draft, slot) for model, slot in zip(models, draft.slots, strict=True)}
    request = engine.request(
        draft.prompt, models, configs, together=draft.together, date=draft.date, given=given
    )
    if adapter is not None:
        slots = [replace(slot, lora=_paths(slot.config.lora, adapter)) for slot in request.slots]
        request = replace(request, slots=slots)
    return replace(request, files=draft.files, on_page=draft.on_page)


def _given(draft: RequestDraft, slot: SlotDraft) -> GivenSettings:
    """Return what a person gave; the maker's values of one slot go before values for all."""
    common = set(draft.settings) if draft.given is None else set(draft.given)
    if draft.system_prompt:
        common.add("system_prompt")
    own = set(slot.settings)
    return GivenSettings(own | common, own if "sampling" in own else own | common)


def _paths(lora: Sequence[str], look_up: AdapterLookUp) -> tuple[str, ...]:
    """Return adapters with their paths in place of what names them."""
    asked = map(adapter_of, lora)
    return tuple(Adapter(look_up(name), scale).as_text() for name, scale in asked)


def offered_by(manager: ModelManager) -> LookUp:
    """Return the look-up for visitors: by id or name, and never by path."""

    def look_up(wanted: str) -> ModelInfo:
        model = manager.get_model_by_id(wanted) or _named(wanted, manager)
        if model.problem:
            raise ConfigurationError(f"{model.name} cannot be loaded: {model.problem}")
        return model

    return look_up


def adapters_offered_by(manager: ModelManager) -> AdapterLookUp:
    """Return the look-up of adapters for visitors: by id or name, and never by path."""

    def look_up(wanted: str) -> str:
        adapter = adapters.meant(manager.get_adapters(), wanted)
        if adapter.problem:
            raise ConfigurationError(f"The adapter {adapter.name} cannot be used: it is damaged.")
        return adapter.path

    return look_up


def advice_of(draft: RequestDraft, slot: SlotDraft, look_up: LookUp) -> str:
    """Return what a slot's maker advises where its settings differ, with the model's name."""
    try:
        model = look_up(slot.model)
        config = ModelConfig.from_dict({**draft.settings, **slot.settings})
    except MultiLLMError:  # said when it is asked
        return ""
    said = sampling.hint(model, config)
    return f"{with_controls_shown(model.name)}: {said}" if said else ""


def refuse_foreign_code(draft: RequestDraft) -> None:
    """Refuse ``trust_remote_code``, however it was asked for.

    Raises:
        ConfigurationError: it is wanted for all models or for one.
    """
    for settings in (draft.settings, *(slot.settings for slot in draft.slots)):
        if settings.get(FOREIGN_CODE, False) is not False:
            raise ConfigurationError(NO_FOREIGN_CODE)


def from_page(
    prompt: str,
    system_prompt: str,
    chosen: Sequence[tuple[str | None, str | Mapping[str, Any]]],
    form: Mapping[str, Any],
    together: bool,
) -> RequestDraft:
    """Read the page's form.

    Args:
        prompt: the question.
        system_prompt: what every model is told first.
        chosen: pairs of a model's id (empty or None for none) and its own settings, as values
            by name or as text.
        form: settings of all models, by name, as the page's fields hold them: ``seed`` and
            ``n_threads`` as text, ``max_tokens`` and ``n_ctx`` empty for None, ``stop`` as lines,
            ``greedy`` in place of ``do_sample``. What is as by default counts as not given.
        together: run all models at once where the memory allows it.

    Raises:
        ConfigurationError: a field or the settings of a column cannot be read.
    """
    slots = [
        SlotDraft(str(model), _own_settings(number, text))
        for number, (model, text) in enumerate(chosen, start=1)
        if model
    ]
    settings = dict(form)
    for name in settings.keys() & set(WITHOUT_A_LIMIT):
        settings[name] = number_or_none(name, settings[name])
    settings["stop"] = stop_strings(settings.get("stop") or "")
    settings["do_sample"] = not settings.pop("greedy", False)
    for name in _WHOLE_NUMBERS:
        settings[name] = whole_number(name, settings.get(name))
    usual = ModelConfig()
    changed = (name for name, value in settings.items() if value != getattr(usual, name, value))
    given = frozenset(changed)
    return RequestDraft(prompt, slots, system_prompt or "", settings, together, given=given)


def from_endpoint(prompt: Any, models: Any, system_prompt: Any, config: Any) -> RequestDraft:
    """Read what came through an endpoint, where nothing bounds types or values.

    Raises:
        ConfigurationError: says which argument is wrong and what would be right.
    """
    if system_prompt is not None and not isinstance(system_prompt, str):
        raise ConfigurationError(f"system_prompt must be text, not {_kind(system_prompt)}.")
    names = _names(models)
    settings = dict(_mapping("config", {} if config is None else config))
    per_model = _mapping(PER_MODEL, settings.pop(PER_MODEL, {}))
    together, date = settings.pop("together", False), settings.pop("date", None)
    if not isinstance(together, bool):
        raise ConfigurationError("together must be true or false.")
    if date is not None:
        moment_of(date)
    _refuse_strangers(per_model, names)
    slots = [
        SlotDraft(
            name, _mapping(f"{PER_MODEL} of {key}", per_model.get(key, per_model.get(name, {})))
        )
        for name, key in zip(names, _keys(names), strict=True)
    ]
    return RequestDraft(prompt, slots, system_prompt or "", settings, together, date=date)


def _named(wanted: str, manager: ModelManager) -> ModelInfo:
    named = [model for model in manager.available_models if model.name == wanted]
    if len(named) > 1:
        ids = ", ".join(model.id for model in named)
        raise ModelNotFoundError(f"Several models are named {wanted!r}. Use an id: {ids}.")
    if not named:
        raise ModelNotFoundError(f"No model {wanted[:80]!r}. {_there_are(manager)}")
    return named[0]


def _there_are(manager: ModelManager) -> str:
    names = ", ".join(m.name for m in manager.available_models[:20] if not m.problem)
    return f"There are: {names}." if names else "There are no models yet."


def _own_settings(number: int, own: str | Mapping[str, Any]) -> dict[str, Any]:
    try:
        if not isinstance(own, Mapping):
            return parse_settings(own or "")
        ModelConfig.from_dict(own)
        return dict(own)
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
