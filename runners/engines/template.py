"""Compiles chat templates, for both engines alike, with all that transformers offers to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from comparator.core.dates import Clock
from comparator.core.exceptions import InferenceError
from comparator.formats.chat_template import generation_tag
from runners.engines.chat_prompt import Messages, template_failure

_NOT_GIVEN: dict[str, None] = {"tools": None, "documents": None}


class ChatTemplate:
    """A chat template as a function of messages and its other arguments.

    Attributes:
        source: its text, in Jinja.
        missing: the names that it printed at its last call, and that nobody had told it.
    """

    def __init__(self, source: str, special_tokens: Mapping[str, str]) -> None:
        """Compile a template; the sandbox refuses tricks, ``template_limits`` bounds the rest.

        Raises:
            InferenceError: it is not valid Jinja.
        """
        self.source = source
        self.missing: dict[str, None] = {}
        self._special_tokens = dict(special_tokens)
        environment = _environment(self.missing)
        try:
            self._compiled = environment.from_string(source)
        except MemoryError:
            raise
        except Exception as error:  # also deep nesting, and what its constants compute
            raise InferenceError(template_failure(error)) from error

    def __call__(self, messages: Messages, **arguments: Any) -> str:
        """Return the text that it makes of messages.

        ``arguments`` go before what every template is told: ``strftime_now`` tells the time of
        now, and an answer is asked for (``add_generation_prompt``).
        """
        self.missing.clear()
        told: dict[str, Any] = {
            **_NOT_GIVEN,
            "add_generation_prompt": True,
            "strftime_now": Clock().strftime_now,
            **self._special_tokens,
            **arguments,
        }
        return str(self._compiled.render(messages=messages, **told))


def compile_template(source: str, special_tokens: Mapping[str, str]) -> ChatTemplate:
    """Make a function of a Jinja chat template.

    See https://huggingface.co/docs/transformers/chat_templating for what templates may use.

    Raises:
        InferenceError: the template is not valid Jinja.
    """
    return _compiled(source, tuple(special_tokens.items()))


@lru_cache(maxsize=4)
def _compiled(source: str, special_tokens: tuple[tuple[str, str], ...]) -> ChatTemplate:
    """Compile a template once: what a prompt is made with also tells how a turn ends."""
    return ChatTemplate(source, dict(special_tokens))


def _environment(missing: dict[str, None]) -> Any:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.loopcontrols", generation_tag()],
        undefined=_noting(missing),
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["namespace"] = _namespace()
    return environment


def _noting(missing: dict[str, None]) -> Any:
    """Return what an undefined name is: empty when printed, as ever, and then noted."""
    from jinja2 import Undefined
    from jinja2.utils import missing as of_no_object

    class NotedUndefined(Undefined):
        __slots__ = ()

        def __str__(self) -> str:
            is_argument = self._undefined_obj is of_no_object and self._undefined_hint is None
            if is_argument and self._undefined_name:
                missing[self._undefined_name] = None
            return super().__str__()

    return NotedUndefined


def _namespace() -> Any:
    """Return Jinja's namespace without names that could reach what Python keeps to itself."""
    from jinja2.exceptions import SecurityError
    from jinja2.utils import Namespace

    class GuardedNamespace(Namespace):
        def __init__(*args: Any, **kwargs: Any) -> None:
            _refuse_private(dict(*args[1:], **kwargs))
            Namespace.__init__(*args, **kwargs)

        def __setitem__(self, name: str, value: Any) -> None:
            _refuse_private((name,))
            Namespace.__setitem__(self, name, value)

    def _refuse_private(names: Any) -> None:
        for name in names:
            if str(name).startswith("_"):
                raise SecurityError(f"a namespace with the name {str(name)[:60]!r}")

    return GuardedNamespace


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
