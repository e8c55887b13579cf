"""What may be told a chat template beside the messages: which arguments it knows, which it gets.

Families name the same wish differently; here it is told from the template's own source what its
name is, and what a template does not know is refused by name instead of being lost in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError, InferenceError
from runners.engines.template_limits import within_limits

LONGEST_SOURCE = 1_000_000  # characters; the longest templates of large families have 20 000
_MOST_NAMES_SHOWN = 12

# What the switch for thoughts is called, and what it is told for on and off. As published:
# Qwen 3, SmolLM3, GLM 4.5, Gemma 4, Nemotron; DeepSeek V3.1, Granite 3.3; Command A; Ling.
SWITCHES: dict[str, tuple[Any, Any]] = {
    "enable_thinking": (True, False),
    "thinking": (True, False),
    "reasoning": (True, False),
    "thinking_option": ("on", "off"),
}
EFFORT = "reasoning_effort"  # gpt-oss: low, medium, high

# What the engines themselves tell a template, and what Jinja or its callers take by these names.
_OURS = frozenset(
    (
        *("messages", "tools", "documents", "add_generation_prompt", "continue_final_message"),
        *("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token"),
        *("mask_token", "additional_special_tokens", "raise_exception", "strftime_now"),
        *("conversation", "chat_template", "tokenize", "padding", "truncation", "max_length"),
        *("return_tensors", "return_dict", "return_assistant_tokens_mask", "tokenizer_kwargs"),
        *("template_kwargs", "self", "caller", "varargs", "kwargs", "loop", "context"),
    )
)


def known_arguments(source: str) -> frozenset[str]:
    """Return the names that a template asks of whoever renders it, without those always given.

    The template is read, never run. A ``range`` or a ``namespace`` of Jinja's own is no argument.

    Raises:
        InferenceError: it is not valid Jinja, too long, or beyond a template's limits.
    """
    if len(source) > LONGEST_SOURCE:
        raise InferenceError(
            f"The model's chat template has {len(source)} characters; the limit is "
            f"{LONGEST_SOURCE}. Set prompt_format to plain, or use another copy of the model."
        )
    return within_limits(lambda: _undeclared(source)) - _OURS


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
        if name in _OURS:
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


def parsed(source: str) -> Any:
    """Return the tree of a template, of ``jinja2.nodes``; whoever asks keeps its limits.

    Raises:
        InferenceError: it is not valid Jinja.
    """
    return _read(lambda: _environment().parse(source))


def _undeclared(source: str) -> frozenset[str]:
    from jinja2 import meta, nodes

    tree = parsed(source)
    for constant in tree.find_all(nodes.Const):
        constant.value = None  # so that nothing is computed of constants: 'x' * 10**10
    names = _read(lambda: meta.find_undeclared_variables(tree))
    return frozenset(names) - frozenset(tree.environment.globals)


def _read(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except MemoryError:
        raise
    except Exception as error:  # also deep nesting, and filters that nobody knows
        raise InferenceError(
            f"The model's chat template cannot be read ({type(error).__name__}: "
            f"{str(error)[:200]}). Set prompt_format to plain, or use a newer copy of the model."
        ) from error


def _environment() -> Any:
    """Return what reads templates as transformers does, with its tag for training."""
    from jinja2.ext import Extension
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """``{% generation %}`` marks answers for training only: what is inside counts."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    return ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols", Generation])
