"""What may be told a chat template beside the messages: which arguments it knows, which it gets.

Families name the same wish differently; here it is told from the template's own source what its
name is, and what a template does not know is refused by name instead of being lost in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.formats.chat_template import EFFORT, OURS, SWITCHES, asked_arguments
from runners.engines.template_limits import within_limits

_MOST_NAMES_SHOWN = 12


def known_arguments(source: str) -> frozenset[str]:
    """Return the names that a template asks of whoever renders it, without those always given.

    Raises:
        InferenceError: it is not valid Jinja, too long, or beyond a template's limits.
    """
    return within_limits(lambda: asked_arguments(source))


def arguments_of(settings: ModelConfig, source: str | None) -> dict[str, Any]:
    """Return what settings mean to a template: the values of its arguments by their names.

    ``auto``, None and an empty mapping say nothing, so that most settings give nothing.

    Args:
        settings: their ``thinking``, ``reasoning_effort`` and ``template_args`` count.
        source: the template in Jinja; None where the model is given plain text.

    Raises:
        ConfigurationError: the template does not know what is wanted, or it is ours to tell.
        InferenceError: the template cannot be read.
    """
    if not _says_anything(settings):
        return {}
    known = known_arguments(source) if source else frozenset()
    arguments: dict[str, Any] = {}
    if settings.thinking != "auto":
        arguments |= _switched(settings.thinking, known, source)
    if settings.reasoning_effort is not None:
        said = f"reasoning_effort={settings.reasoning_effort}"
        _check_known(EFFORT in known, said, known, source)
        arguments[EFFORT] = settings.reasoning_effort
    return arguments | _own(settings.template_args, arguments, known, source)


def _says_anything(settings: ModelConfig) -> bool:
    wants = settings.thinking != "auto" or settings.reasoning_effort is not None
    return wants or bool(settings.template_args)


def _switched(wanted: str, known: frozenset[str], source: str | None) -> dict[str, Any]:
    names = [name for name in SWITCHES if name in known]
    _check_known(bool(names), f"thinking={wanted}", known, source)
    return {name: SWITCHES[name][0 if wanted == "on" else 1] for name in names}


def _own(
    wanted: Mapping[str, Any], told: Mapping[str, Any], known: frozenset[str], source: str | None
) -> dict[str, Any]:
    """Return the arguments that a person named, where they are the template's and not ours."""
    for name, value in wanted.items():
        if name in OURS:
            raise ConfigurationError(
                f"template_args must not set {name}: that is told to every template as it is. "
                "Leave it out."
            )
        if name in told and told[name] != value:
            raise ConfigurationError(
                f"template_args says {name}={value!r}, and another setting says "
                f"{name}={told[name]!r}. Leave one of them out."
            )
        _check_known(name in known, f"template_args with {name}", known, source)
    return dict(wanted)


def _check_known(is_known: bool, said: str, known: Iterable[str], source: str | None) -> None:
    if is_known:
        return
    if not source:
        why = "no chat template is used here, so there is nothing that could be told"
    elif names := sorted(known):
        more = f" and {len(names) - _MOST_NAMES_SHOWN} more" * (len(names) > _MOST_NAMES_SHOWN)
        why = f"it takes {', '.join(name[:60] for name in names[:_MOST_NAMES_SHOWN])}{more}"
    else:
        why = "it takes no arguments"
    raise ConfigurationError(
        f"This model's chat template does not know {said}: {why}. Leave that setting out, or "
        "choose a model whose template knows it."
    )
