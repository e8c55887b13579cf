"""What is wrong with an assertion, found before anything runs."""

from __future__ import annotations

import json
import math
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.assertions import expressions, names, patterns, schemas, similarity
from comparator.evaluation.assertions.texts import texts_of
from comparator.storage.kept_suite import Assertion

MOST_ASSERTIONS = 100  # of one prompt
LONGEST_VALUE = 200_000  # characters, as JSON
MOST_TEXTS = 1000  # of contains-all and its like
WITH_THRESHOLD = ("similar", "python", "llm-rubric")


def check(assertion: Assertion, where: str) -> None:
    """Find everything that is wrong with an assertion, before anything runs.

    Args:
        where: what it belongs to, as the beginning of a sentence: ``Item 3 ("capital")``.

    Raises:
        ConfigurationError: says where and what.
    """
    base, _ = names.known(assertion.type, where)
    try:
        _check_threshold(base, assertion.threshold)
        _check_length(assertion.value)
        _check_value(base, assertion.value)
    except ConfigurationError as error:
        words = str(error).rstrip(".")
        raise ConfigurationError(f"{where}, assertion {assertion.type}: {words}.") from None


def _check_value(base: str, value: Any) -> None:
    if base in names.TEXT_TYPES:
        _check_scalar(value)
    elif base in names.LIST_TYPES:
        _check_texts(value)
    elif base == "equals":
        if value is None:
            raise ConfigurationError("there is no value to compare with")
    elif base == "regex":
        patterns.compiled(_text(value, "a regular expression"))
    elif base in names.JSON_TYPES:
        if value is not None and value != "":
            schemas.check_schema(value)
    elif base == "similar":
        _check_similar(value)
    elif base == "python":
        expressions.check(_text(value, "an expression"))
    else:
        _text(value, "what the judge shall look for")


def _check_threshold(base: str, threshold: float | None) -> None:
    if threshold is None:
        return
    if base not in WITH_THRESHOLD:
        raise ConfigurationError(
            f"it takes no threshold; {', '.join(WITH_THRESHOLD)} do. Leave it out"
        )
    is_number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
    if is_number and math.isfinite(threshold) and base == "python":
        return  # an expression counts whatever it likes
    if not is_number or not 0 <= threshold <= 1:
        raise ConfigurationError(f"the threshold is {threshold!r}; it must be from 0 to 1")


def _check_length(value: Any) -> None:
    try:
        length = len(json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):
        raise ConfigurationError("the value is nothing that JSON can say") from None
    if length > LONGEST_VALUE:
        raise ConfigurationError(f"the value has {length} characters; the limit is {LONGEST_VALUE}")


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"the value must be {what}, as text")
    return value


def _check_scalar(value: Any) -> None:
    if value is None or value == "":
        raise ConfigurationError("there is no value to look for")
    if isinstance(value, (list, dict)):
        raise ConfigurationError(
            "the value must be one text; contains-all and contains-any take several"
        )


def _check_texts(value: Any) -> None:
    if value is None or value in ("", []):
        raise ConfigurationError("there are no values to look for")
    if isinstance(value, dict):
        raise ConfigurationError("the value must be a list of texts")
    if isinstance(value, list) and any(isinstance(one, (list, dict)) for one in value):
        raise ConfigurationError("the value must be a list of texts, and not of lists")
    texts = texts_of(value)
    if not all(texts) or None in (value if isinstance(value, list) else ()):
        raise ConfigurationError("one of the values is empty, and every answer contains nothing")
    if len(texts) > MOST_TEXTS:
        raise ConfigurationError(f"there are {len(texts)} values; the limit is {MOST_TEXTS}")


def _check_similar(value: Any) -> None:
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ConfigurationError("the value must be a text, or a list of texts, to compare with")
    similarity.place()
