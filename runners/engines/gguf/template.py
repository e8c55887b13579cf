"""Compiles the chat template of a GGUF file, with all that transformers offers to templates."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

from comparator.core.exceptions import InferenceError
from runners.engines.chat_prompt import Template, template_failure


def compile_template(source: str, special_tokens: Mapping[str, str]) -> Template:
    """Make a function of a Jinja chat template, with the names that transformers offers it.

    The sandbox refuses attribute tricks; ``template_limits`` bounds time and memory.
    See https://huggingface.co/docs/transformers/chat_templating for what templates may use.

    Raises:
        InferenceError: the template is not valid Jinja.
    """
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.loopcontrols", _generation_tag()],
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    try:
        compiled = environment.from_string(source)
    except MemoryError:
        raise
    except Exception as error:  # also deep nesting, and what its constants compute
        raise InferenceError(template_failure(error)) from error
    names = {"tools": None, "documents": None, "add_generation_prompt": True, **special_tokens}
    return lambda messages: compiled.render(messages=messages, **names)


def _generation_tag() -> Any:
    """Return an extension for ``{% generation %}``, which marks answers for training only."""
    from jinja2.ext import Extension

    class GenerationTag(Extension):
        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    return GenerationTag


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> None:
    import jinja2

    raise jinja2.TemplateError(message)


def _strftime_now(layout: str) -> str:
    return datetime.datetime.now().strftime(layout)
