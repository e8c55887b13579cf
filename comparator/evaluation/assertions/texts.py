"""Assertions that hold an answer's text against other texts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.assertions.findings import AnswerFinding, quoted
from comparator.evaluation.assertions.json_text import NotJSON, parsed

_AROUND = 20  # characters shown before and behind a place


def as_text(value: Any) -> str:
    """Return a value as promptfoo compares it: numbers and truths as JavaScript writes them."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def texts_of(value: Any) -> list[str]:
    """Return the texts of a list, or of a text that separates them by commas or lines, as in CSV.

    Raises:
        ConfigurationError: the text is no CSV; without a place.
    """
    if isinstance(value, list):
        return [as_text(one) for one in value]
    lines = io.StringIO(as_text(value).strip(), newline="")
    try:
        rows = list(csv.reader(lines, skipinitialspace=True))
    except csv.Error as error:
        raise ConfigurationError(
            f"the texts cannot be told apart by their commas ({error}); write a list"
        ) from None
    return [text.strip() for row in rows for text in row]


def equals(answer: str, value: Any) -> AnswerFinding:
    """Whether an answer is this text and nothing else, or JSON with this content."""
    if isinstance(value, (dict, list)):
        return _equals_json(answer, value)
    expected = as_text(value)
    if answer == expected:
        return AnswerFinding(True, f"The answer is {quoted(expected)}.")
    if answer.strip() == expected.strip():
        return AnswerFinding(
            False,
            f"The answer is {quoted(expected.strip())} but for blanks or line breaks at its begin "
            "or end.",
        )
    return AnswerFinding(False, _first_difference(answer, expected))


def contains(answer: str, value: Any, *, ignores_case: bool = False) -> AnswerFinding:
    """Whether a text is somewhere in an answer."""
    expected = as_text(value)
    place = _folded(answer, ignores_case).find(_folded(expected, ignores_case))
    if place < 0:
        other_case = (
            ""
            if ignores_case or expected.casefold() not in answer.casefold()
            else (", only with other capitals (icontains ignores them)")
        )
        return AnswerFinding(False, f"{quoted(expected)} is not in the answer{other_case}.")
    return AnswerFinding(True, f"{quoted(expected)} is in the answer.")


def contains_all(answer: str, value: Any, *, ignores_case: bool = False) -> AnswerFinding:
    """Whether all of several texts are in an answer."""
    wanted = texts_of(value)
    missing = _missing(answer, wanted, ignores_case)
    if missing:
        return AnswerFinding(False, f"Missing in the answer: {_listed(missing)}.")
    return AnswerFinding(True, f"All of {_listed(wanted)} are in the answer.")


def contains_any(answer: str, value: Any, *, ignores_case: bool = False) -> AnswerFinding:
    """Whether at least one of several texts is in an answer."""
    wanted = texts_of(value)
    missing = set(_missing(answer, wanted, ignores_case))
    found = [text for text in wanted if text not in missing]
    if found:
        return AnswerFinding(True, f"In the answer: {_listed(found)}.")
    return AnswerFinding(False, f"None of {_listed(wanted)} is in the answer.")


def starts_with(answer: str, value: Any) -> AnswerFinding:
    """Whether an answer begins with a text."""
    expected = as_text(value)
    if answer.startswith(expected):
        return AnswerFinding(True, f"The answer begins with {quoted(expected)}.")
    begin = answer[: len(expected) + _AROUND]
    return AnswerFinding(
        False, f"The answer begins with {quoted(begin)}, not with {quoted(expected)}."
    )


def _folded(text: str, ignores_case: bool) -> str:
    return text.casefold() if ignores_case else text


def _missing(answer: str, wanted: Sequence[str], ignores_case: bool) -> list[str]:
    folded = _folded(answer, ignores_case)
    return [text for text in wanted if _folded(text, ignores_case) not in folded]


def _listed(texts: Sequence[str]) -> str:
    shown = ", ".join(quoted(text) for text in texts[:10])
    return shown + (f" and {len(texts) - 10} more" if len(texts) > 10 else "")


def _first_difference(answer: str, expected: str) -> str:
    same = 0
    for one, other in zip(answer, expected, strict=False):
        if one != other:
            break
        same += 1
    if not answer:
        return f"The answer is empty; expected is {quoted(expected)}."
    if same == len(answer):
        return f"The answer ends where {quoted(expected[same:])} should follow."
    if same == len(expected):
        return f"The answer is right as far as expected, and goes on with {quoted(answer[same:])}."
    place = slice(max(0, same - _AROUND), same + _AROUND)
    return (
        f"The first difference is at character {same + 1}: the answer has "
        f"{quoted(answer[place])}, expected is {quoted(expected[place])}."
    )


def _equals_json(answer: str, expected: Any) -> AnswerFinding:
    try:
        found = parsed(answer)
    except NotJSON as error:
        return AnswerFinding(False, f"The answer is no JSON: {error}.")
    place = _json_difference(found, expected, "$")
    if place is None:
        return AnswerFinding(True, "The answer is JSON with the content that is expected.")
    return AnswerFinding(False, f"The JSON of the answer differs from what is expected at {place}.")


def _json_difference(found: Any, expected: Any, path: str) -> str | None:
    """Return the path of the first place at which two JSON values differ; None where none."""
    if isinstance(found, dict) and isinstance(expected, dict):
        if found.keys() != expected.keys():
            name = sorted(map(str, found.keys() ^ expected.keys()))[0]
            return f"{path}: {quoted(name)} is {'too much' if name in found else 'missing'}"
        pairs = [(f"{path}.{name}", found[name], expected[name]) for name in expected]
    elif isinstance(found, list) and isinstance(expected, list):
        if len(found) != len(expected):
            return f"{path}: {len(found)} elements instead of {len(expected)}"
        numbered = enumerate(zip(found, expected, strict=True))
        pairs = [(f"{path}[{number}]", one, other) for number, (one, other) in numbered]
    else:
        is_same = found == expected and isinstance(found, bool) == isinstance(expected, bool)
        return None if is_same else f"{path}: {quoted(as_text(found))}"
    places = (_json_difference(one, other, at) for at, one, other in pairs)
    return next((place for place in places if place is not None), None)
