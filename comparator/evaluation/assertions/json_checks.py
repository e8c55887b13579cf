"""Assertions that an answer is JSON, or has some in it, of a given form."""

from __future__ import annotations

import time
from typing import Any

from comparator.evaluation.assertions import schemas
from comparator.evaluation.assertions.findings import AnswerFinding
from comparator.evaluation.assertions.json_text import NotJSON, parsed, within


def is_json(answer: str, schema: Any) -> AnswerFinding:
    """Whether an answer is JSON from its begin to its end, and as a schema wants it."""
    try:
        value = parsed(answer)
    except NotJSON as error:
        around = ""
        if answer.strip() and next(within(answer), None) is not None:
            around = " There is JSON in it, with other text around (contains-json takes that)."
        return AnswerFinding(False, f"The answer is no JSON: {error}.{around}")
    return _as_wanted(value, schema, "The answer is JSON")


def contains_json(answer: str, schema: Any) -> AnswerFinding:
    """Whether there is a JSON object or list in an answer, and one that is as a schema wants it."""
    found: AnswerFinding | None = None
    until = time.monotonic() + schemas.LONGEST_SECONDS  # for all that there is together
    for value in within(answer):
        latest = _as_wanted(value, schema, "There is JSON in the answer", until)
        if latest.holds or latest.holds is None:
            return latest
        found = found or latest
    return found or AnswerFinding(False, "There is no JSON object or list in the answer.")


def _as_wanted(value: Any, schema: Any, begin: str, until: float | None = None) -> AnswerFinding:
    if schema is None or schema == "":
        return AnswerFinding(True, f"{begin}.")
    try:
        error = schemas.first_error(schemas.schema_of(schema), value, until)
    except schemas.SchemaTooLong:
        return AnswerFinding(
            None,
            f"{begin}, but holding it against the schema was ended after "
            f"{schemas.LONGEST_SECONDS:g} s. Make the schema simpler.",
        )
    if error is None:
        return AnswerFinding(True, f"{begin} and as its schema wants it.")
    return AnswerFinding(False, f"{begin}, but not as its schema wants it: {error}")
