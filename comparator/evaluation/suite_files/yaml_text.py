"""YAML as promptfoo reads it (YAML 1.2: ``yes`` is a text), within bounds.

An alias may stand for a part that has aliases itself, so that a small file unfolds to any size.
https://yaml.org/spec/1.2.2/#1032-tag-resolution
"""

from __future__ import annotations

import functools
import re
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.core.units import fine_size
from comparator.evaluation.assertions.findings import quoted
from comparator.evaluation.suite_files import bounds

MOST_NODES = 500_000  # with every alias written out
DEEPEST = 60

_CORE = (  # of a plain text: the tag, its form, the letters that it begins with
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("merge", r"<<", "<"),
)
_TAG = "tag:yaml.org,2002:"
_TAGS = (*(tag for tag, _, _ in _CORE), "str", "seq", "map")


def value_of(name: str, text: str) -> Any:
    """Return what YAML text says, of objects, lists, texts, numbers, truths and nothing.

    Raises:
        ConfigurationError: it is none, or too large, and where.
    """
    import yaml

    if len(text) > bounds.MOST_YAML_BYTES:
        raise ConfigurationError(
            f"{name} has {fine_size(len(text))}; the limit of YAML is "
            f"{fine_size(bounds.MOST_YAML_BYTES)}. Use a .jsonl file for many prompts."
        )
    try:
        _check_depth(name, text)
        loader = _loader()(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                _Bounds(name).count(node)
            return None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name} is no YAML that is read here{_told(error)}") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"{name} cannot be read: {error}.") from None


def _check_depth(name: str, text: str) -> None:
    """Refuse what is nested too deeply, before it is read by something that calls itself."""
    import yaml

    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_base())):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            line = event.start_mark.line + 1
            raise ConfigurationError(
                f"{name}, line {line}: it is nested more than {DEEPEST} levels deep."
            )
        if count > MOST_NODES:
            raise _too_large(name)


def _too_large(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} has more than {MOST_NODES} values, with its aliases written out. Use fewer "
        "aliases of aliases."
    )


class _Bounds:
    """Counts what a document comes to when each alias is written out."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._sizes: dict[int, int | None] = {}  # None while it is being counted

    def count(self, node: Any) -> int:
        """Return how many values there are.

        Raises:
            ConfigurationError: too many, without end, or a name twice.
        """
        if id(node) in self._sizes:
            size = self._sizes[id(node)]
            if size is None:
                raise ConfigurationError(
                    f"{self._name}, line {_line(node)}: this part has itself as a part."
                )
            return size
        self._refuse_other_tags(node)
        self._sizes[id(node)] = None
        size = 1 + sum(self.count(part) for part in self._parts(node))
        if size > MOST_NODES:
            raise _too_large(self._name)
        self._sizes[id(node)] = size
        return size

    def _parts(self, node: Any) -> list[Any]:
        import yaml

        if isinstance(node, yaml.MappingNode):
            self._refuse_twice(node)
            return [part for pair in node.value for part in pair]
        return node.value if isinstance(node, yaml.SequenceNode) else []

    def _refuse_other_tags(self, node: Any) -> None:
        if node.tag.removeprefix(_TAG) not in _TAGS:
            raise ConfigurationError(
                f"{self._name}, line {_line(node)}: the tag {quoted(node.tag)} is not read here. "
                "Write the value without it."
            )

    def _refuse_twice(self, node: Any) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            told = key.value if isinstance(key.value, str) else None
            if told is None:
                raise ConfigurationError(
                    f"{self._name}, line {_line(key)}: a name must be text. A value that begins "
                    'with {{ stands in "quotation marks".'
                )
            if told in seen and told != "<<":
                raise ConfigurationError(
                    f"{self._name}, line {_line(key)}: {quoted(told)} is there twice in one object."
                )
            seen.add(told)


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _told(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", "") or error).splitlines()[0]
    at = f" at line {mark.line + 1}, character {mark.column + 1}" if mark else ""
    hint = ' Texts with ": ", "#" or "{{" stand in "quotation marks".' if mark else ""
    return f"{at}: {problem}.{hint}"


def _base() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@functools.cache
def _loader() -> Any:
    """Return the safe loader with the plain texts of YAML 1.2's core schema."""

    class Loader(_base()):  # type: ignore[misc]
        pass

    Loader.yaml_implicit_resolvers = {}
    for tag, form, begins in _CORE:
        Loader.add_implicit_resolver(_TAG + tag, re.compile(f"(?:{form})$"), list(begins))
    Loader.add_constructor(_TAG + "int", _whole_number)
    return Loader


def _whole_number(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node)
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text[2:] if base != 10 else text, base)
