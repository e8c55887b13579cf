"""The machine in lines for people: whatever was kept of it, without where anything lies on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from comparator.core.units import fine_size

_MOST_LINES = 60
_LONGEST = 300  # characters of a value
# Of a machine's facts these name it or say where something lies; nobody else needs them.
_PRIVATE = ("path", "folder", "host", "user", "home", "node", "token", "key", "hash")


def machine_lines(
    machine: Mapping[str, Any], without_paths: Callable[[str], str]
) -> list[tuple[str, str]]:
    """Return what is known of a machine: what it is called, and its value in words.

    Args:
        machine: parts and their facts, as ``comparator doctor --json`` names them.
        without_paths: takes paths out of a text.
    """
    found = [(name, without_paths(value)[:_LONGEST]) for name, value in _lines(machine, "")]
    return found[:_MOST_LINES]


def _lines(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            if not any(word in str(key).lower() for word in _PRIVATE):
                yield from _lines(one, f"{name} {_words(str(key))}".strip())
    elif isinstance(value, (list, tuple)):
        yield from _of_list(value, name)
    elif value is not None and value != "":
        yield _name(name), _value(name, value)


def _of_list(values: list[Any] | tuple[Any, ...], name: str) -> Iterator[tuple[str, str]]:
    if all(isinstance(one, (str, int, float)) for one in values):
        if values:
            yield _name(name), ", ".join(map(str, values))
        return
    for number, one in enumerate(values, 1):
        yield from _lines(one, f"{name} {number}" if len(values) > 1 else name)


def _words(key: str) -> str:
    return key.replace("_", " ")


def _name(name: str) -> str:
    shown = name.removesuffix(" bytes")
    return shown[:1].upper() + shown[1:]


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return fine_size(value) if name.endswith("bytes") else f"{value:g}"
    return str(value)
