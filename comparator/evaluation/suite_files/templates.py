"""Templates of prompts: ``{{name}}``, filled from a test's variables.

promptfoo's are Nunjucks, which Jinja is the model of. What is known here are variables, parts of
them, some filters and ``if``: nothing in it can run for long or reach anything.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from comparator.core.conversation import LONGEST_PROMPT_BYTES
from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.assertions.findings import quoted
from comparator.evaluation.assertions.texts import as_text

FILTERS = (
    *("upper", "lower", "trim", "capitalize", "title", "length", "first", "last", "default"),
    *("int", "float", "round", "tojson", "dump", "string", "safe"),
)
_MOST_DIGITS = 20  # of round
_MARKS = ("{{", "{%", "{#")
_SHOWN = 'Write {{name}} where the variable "name" of a test belongs.'


def is_template(text: str) -> bool:
    """Whether there is anything to be filled in a text."""
    return any(mark in text for mark in _MARKS)


def filled(text: str, variables: Mapping[str, Any], where: str) -> str:
    """Return a text with its variables filled.

    Args:
        text: the template.
        variables: by their names.
        where: what it belongs to, as the beginning of a sentence.

    Raises:
        ConfigurationError: a variable is missing, or it uses what is not known here.
    """
    from jinja2 import TemplateError, UndefinedError

    if not is_template(text):
        return text
    try:
        return _joined(_template(text), variables, where)
    except UndefinedError as error:
        raise ConfigurationError(
            f"{where}: {error.message} in the template {quoted(text)}. The test has the variables: "
            f"{', '.join(map(str, variables)) or 'none'}."
        ) from None
    except TemplateError as error:
        raise ConfigurationError(
            f"{where}: the template {quoted(text)} cannot be used: "
            f"{str(error.message).rstrip('.')}. {_SHOWN}"
        ) from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    except Exception as error:  # whatever filters and tests make of values that are none of theirs
        raise ConfigurationError(
            f"{where}: the template {quoted(text)} cannot be filled: {error}."
        ) from None


def _joined(template: Any, variables: Mapping[str, Any], where: str) -> str:
    parts, size = [], 0
    for part in template.generate(variables):
        size += len(part)
        if size > LONGEST_PROMPT_BYTES:
            raise ConfigurationError(
                f"the prompt has more than {LONGEST_PROMPT_BYTES} characters when it is filled"
            )
        parts.append(part)
    return "".join(parts)


@functools.lru_cache(maxsize=1000)
def _template(text: str) -> Any:
    environment = _environment()
    _check(environment.parse(text))
    return environment.from_string(text)


@functools.cache
def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, finalize=_as_javascript, keep_trailing_newline=True
    )
    environment.globals.clear()
    environment.filters["dump"] = environment.filters["tojson"] = _as_json
    environment.filters["round"] = _rounded
    return environment


def _rounded(value: Any, precision: Any = 0, method: Any = "common") -> Any:
    """Round as Jinja does, which computes any power of ten that is asked for.

    Raises:
        ValueError: the precision is more than a number has.
    """
    from jinja2.filters import do_round

    if not isinstance(precision, int) or not 0 <= precision <= _MOST_DIGITS:
        raise ValueError(f"round takes up to {_MOST_DIGITS} digits, not {precision!r}"[:100])
    return do_round(value, precision, method)


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _as_javascript(value: Any) -> Any:
    """Return a value as Nunjucks writes it; what is undefined is left for Jinja to refuse."""
    if value is None:
        return ""
    return as_text(value) if isinstance(value, (bool, int, float, dict, list)) else value


def _check(tree: Any) -> None:
    """Refuse what is not known here.

    Raises:
        ConfigurationError: names it; without a place.
    """
    from jinja2 import nodes

    known = (
        *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const),
        *(nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.If, nodes.CondExpr, nodes.Test),
        *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    )
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, known):
            raise ConfigurationError(
                f"templates have variables, filters and if here, and no {_word(node)}. {_SHOWN}"
            )
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            raise ConfigurationError(
                f"the filter {quoted(str(node.name))} is not known here. There are: "
                f"{', '.join(FILTERS)}."
            )


def _word(node: Any) -> str:
    words = {"For": "loops", "Call": "calls", "Assign": "set", "Macro": "macros", "Mul": "*"}
    name = type(node).__name__
    return words.get(name, name.lower())
