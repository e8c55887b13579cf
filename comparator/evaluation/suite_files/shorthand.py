"""Assertions as a suite's file has them: objects, or short as ``contains: Paris``."""

from __future__ import annotations

import difflib
import json
import re
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation import assertions
from comparator.evaluation.assertions import names
from comparator.evaluation.assertions.findings import quoted
from comparator.evaluation.suite_files.notes import Notes
from comparator.storage.kept_suite import Assertion

_SHORT = re.compile(
    r"(?P<type>similar:(?:cosine|dot|euclidean)|[\w-]+)"
    r"(?:\((?P<threshold>[\d.]+)\))?(?::\s*(?P<value>.*))?",
    re.DOTALL,
)
_EXAMPLE = 'Write {"type": "contains", "value": "Paris"}, or contains: Paris.'
_KEYS = ("type", "value", "threshold")
_PASSED_OVER = {  # and what is so instead
    "weight": "all assertions count alike",
    "metric": "assertions have no names of their own",
    "provider": "the judge is chosen for the whole run",
    "rubricPrompt": "the judge is asked in the same words for all",
}


def assertions_of(value: Any, where: str, notes: Notes) -> list[Assertion]:
    """Return the assertions of one prompt, each of them checked.

    Args:
        value: a list of objects or texts, one of either, or such as JSON text; None for none.
        where: the prompt, as the beginning of a sentence.
        notes: told what was passed over.

    Raises:
        ConfigurationError: says which assertion is wrong, and what.
    """
    given = _listed(value, where)
    if len(given) > assertions.MOST_ASSERTIONS:
        raise ConfigurationError(
            f"{where} has {len(given)} assertions; the limit is {assertions.MOST_ASSERTIONS}."
        )
    found = [_assertion(one, where, notes) for one in given]
    for one in found:
        assertions.check(one, where)
    return found


def _listed(value: Any, where: str) -> list[Any]:
    if value is None or value == "":
        return []
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"{where}: assert is no JSON ({error}). {_EXAMPLE}") from None
    return value if isinstance(value, list) else [value]


def _assertion(value: Any, where: str, notes: Notes) -> Assertion:
    if isinstance(value, str):
        return _short(value, where)
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where}: an assertion must be an object. {_EXAMPLE}")
    given = {name: one for name, one in value.items() if one is not None}
    base, _ = names.known(given.get("type"), where)
    for name in given:
        _mind_key(name, given[name], f"{where}, assertion {given['type']}", notes)
    if base != "regex" and isinstance(said := given.get("value"), str):
        _refuse_files(said, f"{where}, assertion {given['type']}")
    return Assertion(given["type"], given.get("value"), given.get("threshold"))


def _short(text: str, where: str) -> Assertion:
    found = _SHORT.fullmatch(text.strip())
    if found is None or (
        found["value"] is None and names.split(found["type"])[0] not in names.NAMES
    ):
        raise ConfigurationError(f"{where}: {quoted(text)} is no assertion. {_EXAMPLE}")
    names.known(found["type"], where)
    value = found["value"]
    if value is not None:
        _refuse_files(value, where)
    try:
        threshold = float(found["threshold"]) if found["threshold"] else None
    except ValueError:
        raise ConfigurationError(f"{where}: {found['threshold']} is no number.") from None
    return Assertion(found["type"], value or None, threshold)


def _mind_key(name: object, value: Any, where: str, notes: Notes) -> None:
    if name in _KEYS:
        return
    if name == "weight" and value == 0:
        raise ConfigurationError(
            f"{where} has the weight 0: in promptfoo it measures and cannot fail, and here each "
            "assertion counts. Leave it out."
        )
    if name in _PASSED_OVER:
        notes.unknown("Of assertions,", name, where, f": {_PASSED_OVER[str(name)]}")
        return
    near = difflib.get_close_matches(str(name), _KEYS, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    changes = ": it would change what is graded" if "ransform" in str(name) else ""
    raise ConfigurationError(
        f"{where} has {quoted(str(name))}, which is not known here{changes}.{hint} "
        f"Assertions have {', '.join(_KEYS)}."
    )


def _refuse_files(value: str, where: str) -> None:
    if value.startswith("file://"):
        raise ConfigurationError(
            f"{where} refers to another file ({quoted(value)}), and no other file is read. Put "
            "what it says into this one."
        )
