"""What a chat template asks of whoever renders it, read from its Jinja source and never run.

What templates may use: https://huggingface.co/docs/transformers/chat_templating
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from comparator.core.exceptions import InferenceError

LONGEST_SOURCE = 1_000_000  # characters; the longest templates of large families have 20 000

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
OURS = frozenset(
    (
        *("messages", "tools", "documents", "add_generation_prompt", "continue_final_message"),
        *("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token"),
        *("mask_token", "additional_special_tokens", "raise_exception", "strftime_now"),
        *("conversation", "chat_template", "tokenize", "padding", "truncation", "max_length"),
        *("return_tensors", "return_dict", "return_assistant_tokens_mask", "tokenizer_kwargs"),
        *("template_kwargs", "self", "caller", "varargs", "kwargs", "loop", "context"),
    )
)


def parsed(source: str) -> Any:
    """Return the tree of a template, of ``jinja2.nodes``; whoever asks keeps its limits.

    Raises:
        InferenceError: it is not valid Jinja.
    """
    return _read(lambda: _environment().parse(source))


def asked_arguments(source: str) -> frozenset[str]:
    """Return the names that a template asks for, without those that are always given.

    A ``range`` or a ``namespace`` of Jinja's own is no argument. Nothing is computed, but time and
    memory grow with the source; who reads a stranger's in a process of its own keeps limits.

    Raises:
        InferenceError: it is not valid Jinja, or too long.
    """
    from jinja2 import meta, nodes

    if len(source) > LONGEST_SOURCE:
        raise InferenceError(
            f"The model's chat template has {len(source)} characters; the limit is "
            f"{LONGEST_SOURCE}. Set prompt_format to plain, or use another copy of the model."
        )
    tree = parsed(source)
    for constant in tree.find_all(nodes.Const):
        constant.value = None  # so that nothing is computed of constants: 'x' * 10**10
    names = _read(lambda: meta.find_undeclared_variables(tree) - _own_variables(tree))
    return frozenset(names) - frozenset(tree.environment.globals) - OURS


def _own_variables(tree: Any) -> set[str]:
    """Return the names that a template fills before it reads them, if only in some branches.

    One that it fills where its caller did not (``x is not defined``) is an argument.
    """
    from jinja2 import nodes

    own: dict[str, bool] = {}
    for node in tree.find_all((nodes.Name, nodes.Assign, nodes.AssignBlock)):
        if isinstance(node, nodes.Name):
            own.setdefault(node.name, False)  # read, or filled by something else
        else:
            read = {name.name for name in node.find_all(nodes.Name) if name.ctx == "load"}
            for name in _filled(node.target):
                own.setdefault(name, name not in read)
    for branch in tree.find_all(nodes.If):
        tested = {
            name.name
            for name in (branch.test, *branch.test.find_all(nodes.Name))
            if isinstance(name, nodes.Name) and own.get(name.name)
        }
        if tested:
            own |= dict.fromkeys(tested & _filled_in(branch), False)
    return {name for name, is_own in own.items() if is_own}


def _filled(target: Any) -> set[str]:
    from jinja2 import nodes

    return {
        name.name for name in (target, *target.find_all(nodes.Name)) if isinstance(name, nodes.Name)
    }


def _filled_in(branch: Any) -> set[str]:
    from jinja2 import nodes

    filled: set[str] = set()
    for node in branch.find_all((nodes.Assign, nodes.AssignBlock)):
        filled |= _filled(node.target)
    return filled


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


@functools.cache
def _environment() -> Any:
    """Return what reads templates as transformers does, with its tag for training."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols", generation_tag()])


@functools.cache
def generation_tag() -> Any:
    """Return an extension of Jinja for ``{% generation %}``: what is inside counts.

    It marks answers for training only.
    """
    from jinja2 import nodes
    from jinja2.ext import Extension

    class GenerationTag(Extension):
        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)  # what is set inside stays there

    return GenerationTag
