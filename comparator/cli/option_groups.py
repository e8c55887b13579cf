"""Options that several commands have: a parameter that is a group of them becomes all of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints

Command = Callable[..., "int | None"]


def spread(command: Command) -> Command:
    """Return a command that takes the options of its groups one by one, in the groups' places.

    A group is a dataclass whose fields are options, annotated as a command's parameters are, each
    with what it is where it is not given.
    """
    groups: dict[str, Any] = {
        name: hint for name, hint in _hints(command).items() if is_dataclass(hint)
    }
    if not groups:
        return command

    @functools.wraps(command)
    def with_groups(**given: Any) -> int | None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        return command(**given)

    parameters = list(_parameters(command, groups))
    with_groups.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return with_groups


def _hints(of: Any) -> dict[str, Any]:
    return get_type_hints(of, include_extras=True)


def _parameters(command: Command, groups: Mapping[str, Any]) -> Iterator[inspect.Parameter]:
    hints = _hints(command)
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            yield from _options(groups[name])
        else:
            yield _keyword(name, parameter.default, hints[name])


def _options(group: Any) -> Iterator[inspect.Parameter]:
    hints = _hints(group)
    for field in fields(group):
        assert field.default is not MISSING, f"{field.name} may be left out like any option"
        yield _keyword(field.name, field.default, hints[field.name])


def _keyword(name: str, default: Any, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )
