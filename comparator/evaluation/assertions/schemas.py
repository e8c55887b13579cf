"""JSON schemas: nothing is fetched for them, and holding an answer against one ends in time.

What a schema means: https://json-schema.org/specification. Without ``$schema`` it is read as
draft 2020-12.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.assertions import patterns
from comparator.evaluation.assertions.findings import quoted
from comparator.evaluation.assertions.json_text import NotJSON, parsed

LONGEST_SECONDS = 2.0
LARGEST_SCHEMA = 100_000  # characters, as JSON
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_DIALECT = "$schema"

Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]
_deadline = threading.local()  # of the value that this thread holds against a schema


class SchemaTooLong(Exception):
    """Holding a value against a schema took longer than it may."""


def schema_of(value: Any) -> Any:
    """Return the schema that an assertion's value is, or has as JSON text.

    Raises:
        ConfigurationError: the text is no JSON; without a place.
    """
    if not isinstance(value, str):
        return value
    try:
        return parsed(value)
    except NotJSON as error:
        raise ConfigurationError(f"the schema is no JSON: {error}") from None


def check_schema(value: Any) -> None:
    """Refuse what is no schema, or one that cannot be used without fetching something.

    Raises:
        ConfigurationError: says why; without a place.
    """
    schema = schema_of(value)
    if not isinstance(schema, (dict, bool)):
        raise ConfigurationError("the value must be a JSON schema: an object, or true or false")
    try:
        text = json.dumps(schema, ensure_ascii=False, default=str)
    except RecursionError:
        raise ConfigurationError("the schema is nested too deeply") from None
    if len(text) > LARGEST_SCHEMA:
        raise ConfigurationError(
            f"the schema has {len(text)} characters; the limit is {LARGEST_SCHEMA}"
        )
    if trouble := _trouble(text):
        raise ConfigurationError(trouble)


@functools.lru_cache(maxsize=100)
def _trouble(text: str) -> str:
    """Return what is wrong with a schema; empty for nothing. Many prompts have the same one."""
    schema = json.loads(text)
    try:
        _refuse_what_is_none(schema)
        for part in _parts(schema):
            _check_part(part, is_whole=part is schema)
    except ConfigurationError as error:
        return str(error)
    except RecursionError:
        return "the schema is nested too deeply"
    except Exception as error:  # the libraries are not prepared for all that a schema may mix
        return f"the schema cannot be used ({type(error).__name__}: {str(error)[:200]})"
    return ""


def make_ready() -> None:
    """Import the library, and make its class for schemas that name no draft."""
    patterns.make_ready()
    _timed(_version({}))


def first_error(schema: Any, value: Any, until: float | None = None) -> str | None:
    """Return in a sentence where a value is not as a schema wants it; None where it is.

    Args:
        schema: as ``schema_of`` returns it.
        value: what JSON text says.
        until: when it is ended (``time.monotonic``); ``LONGEST_SECONDS`` from now by default.

    Raises:
        TooLong: it took longer than it may.
    """
    from jsonschema.exceptions import best_match
    from referencing import Registry

    version = _timed(_version(schema))
    plain = _without_dialect(schema)
    checker = version(plain, registry=Registry(), format_checker=version.FORMAT_CHECKER)
    _deadline.at = time.monotonic() + LONGEST_SECONDS if until is None else until
    try:
        error = best_match(checker.iter_errors(value))
    except patterns.SearchTooLong:
        raise SchemaTooLong from None
    except RecursionError:
        return "holding them against each other never ends; the schema refers to itself."
    except (ArithmeticError, TypeError, ValueError) as failure:  # of numbers beyond any bound
        return f"they cannot be held against each other ({type(failure).__name__}: {failure})."
    if error is None:
        return None
    return f"{error.message[:300].rstrip('.')} (at {error.json_path})."


def _version(schema: Any) -> Any:
    """Return jsonschema's class for the draft that a schema names."""
    import jsonschema

    if not isinstance(schema, dict) or _DIALECT not in schema:
        return jsonschema.Draft202012Validator
    version = jsonschema.validators.validator_for(schema, default=None)
    if version is None:
        raise ConfigurationError(
            f"the schema names the draft {quoted(str(schema[_DIALECT]))}, which is not known here; "
            "leave $schema out, or name one of json-schema.org"
        )
    return version


def _without_dialect(schema: Any) -> Any:
    """Return a schema whose parts are all read by the class that was chosen for it."""
    if not isinstance(schema, dict):
        return schema
    return {name: part for name, part in schema.items() if name != _DIALECT}


def _refuse_what_is_none(schema: Any) -> None:
    from jsonschema import SchemaError

    try:
        _version(schema).check_schema(schema)
    except SchemaError as error:
        at = "/".join(map(str, error.absolute_path))
        where = f" at {quoted(at)}" if at else ""
        raise ConfigurationError(
            f"the value is no JSON schema{where}: {error.message[:300]}"
        ) from None


def _parts(schema: Any) -> Iterator[Any]:
    """Yield a schema, those in it, and those that it refers to.

    Raises:
        ConfigurationError: it refers to something that is not in it.
    """
    from referencing import Registry
    from referencing.jsonschema import specification_with

    draft = specification_with(_version(schema).META_SCHEMA[_DIALECT])
    whole = draft.create_resource(schema)
    base = whole.id() or ""
    resolver = Registry().with_resource(base, whole).crawl().resolver(base)
    waiting, seen = [(whole, resolver)], set()
    while waiting:
        part, resolver = waiting.pop()
        if id(part.contents) in seen:
            continue
        seen.add(id(part.contents))
        yield part.contents
        waiting += [(inner, resolver.in_subresource(inner)) for inner in part.subresources()]
        for target, its_resolver in _referred(part.contents, resolver):
            waiting.append((draft.create_resource(target), its_resolver))


def _referred(part: Any, resolver: Any) -> Iterator[tuple[Any, Any]]:
    from referencing.exceptions import Unresolvable

    for name in _REFERENCES if isinstance(part, dict) else ():
        if not isinstance(place := part.get(name), str):
            continue
        try:
            resolved = resolver.lookup(place)
        except (Unresolvable, ValueError, LookupError):
            raise ConfigurationError(
                f"the schema refers to {quoted(place)}, which is not in it; nothing is fetched. "
                "Put that schema into $defs and refer to it there"
            ) from None
        yield resolved.contents, resolved.resolver


def _check_part(part: Any, *, is_whole: bool) -> None:
    if not isinstance(part, Mapping):
        return
    if not is_whole and _DIALECT in part:
        raise ConfigurationError("a part of the schema has a $schema of its own; leave it out")
    names = part.get("patternProperties")
    if names and "unevaluatedProperties" in part:
        raise ConfigurationError(
            "patternProperties beside unevaluatedProperties is not known here; use "
            "additionalProperties"
        )
    wanted = [part.get("pattern"), *(names if isinstance(names, dict) else ())]
    for pattern in wanted:
        if isinstance(pattern, str):
            patterns.compiled(pattern)


@functools.cache
def _timed(version: Any) -> Any:
    """Return the class of a draft whose every step looks at the clock."""
    import jsonschema

    own: dict[str, Keyword] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties(version),
        "uniqueItems": _unique_items,
    }
    known = {name: own.get(name, step) for name, step in version.VALIDATORS.items()}
    steps = {name: _minding_the_clock(step) for name, step in known.items()}
    return jsonschema.validators.extend(version, steps)


def _minding_the_clock(step: Keyword) -> Keyword:
    def minded(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[Any] | None:
        _seconds_left()
        return step(validator, wanted, value, schema)

    return minded


def _seconds_left() -> float:
    left: float = _deadline.at - time.monotonic()
    if left <= 0:
        raise SchemaTooLong
    return left


def _matches(pattern: str, text: str) -> bool:
    return patterns.found(pattern, text, _seconds_left()) is not None


def _pattern(validator: Any, wanted: Any, value: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if validator.is_type(value, "string") and not _matches(wanted, value):
        yield ValidationError(f"{value!r} does not match {wanted!r}")


def _pattern_properties(validator: Any, wanted: Any, value: Any, _schema: Any) -> Iterator[Any]:
    if not validator.is_type(value, "object"):
        return
    for pattern, schema in wanted.items():
        for name in value:
            if _matches(pattern, name):
                yield from validator.descend(value[name], schema, path=name, schema_path=pattern)


def _additional_properties(version: Any) -> Keyword:
    usual: Keyword = version.VALIDATORS.get("additionalProperties")

    def additional(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[Any] | None:
        """Leave out what ``patternProperties`` knows, then do as usual."""
        known = schema.get("patternProperties") or {}
        if known and validator.is_type(value, "object"):
            value = {
                name: one
                for name, one in value.items()
                if not any(_matches(pattern, name) for pattern in known)
            }
            schema = {name: part for name, part in schema.items() if name != "patternProperties"}
        return usual(validator, wanted, value, schema)

    return additional


def _unique_items(validator: Any, wanted: Any, value: Any, _schema: Any) -> Iterator[Any]:
    """Tell equals by their content; to compare each with each takes minutes for a long list."""
    from jsonschema import ValidationError

    if not wanted or not validator.is_type(value, "array"):
        return
    seen: set[Any] = set()
    for one in value:
        _seconds_left()
        content = _content(one)
        if content in seen:
            yield ValidationError(f"{value!r} has non-unique elements")
            return
        seen.add(content)


def _content(value: Any) -> Any:
    """Return what equals for equal JSON values: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, dict):
        return ("object", frozenset((name, _content(one)) for name, one in value.items()))
    if isinstance(value, list):
        return ("list", *map(_content, value))
    return (isinstance(value, bool), value)
