"""The JSON of PAIR's LLM Comparator, which shows two models side by side.

The format: https://github.com/PAIR-code/llm-comparator#json-data-format. It has two models, so of
three or four columns two are written, the first ones unless others are named. Nobody has judged the
answers, so ``score`` is null, which its page counts as unknown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from comparator.comparison.exports.sheet import Sheet
from comparator.comparison.exports.words import title
from comparator.core.exceptions import ConfigurationError
from comparator.core.limits import LETTERS
from comparator.core.models import InferenceResult
from comparator.core.text import plain

Columns = Sequence[int]
FIRST_TWO: Columns = (0, 1)
_NUMBERS = ("token_count", "tokens_per_second", "time_to_first_token", "duration", "memory_usage")


def sheet_pair(sheet: Sheet, columns: Columns = FIRST_TWO) -> str:
    """Return two columns of a comparison as LLM Comparator's page reads them.

    Raises:
        ConfigurationError: there are not two columns, or not these.
    """
    a, b = (sheet.results[number] for number in _checked(len(sheet.results), columns))
    page = {
        "metadata": {
            "source_path": f"multi-llm-comparator {sheet.kept.id} {sheet.moment}",
            "custom_fields_schema": _schema(),
        },
        "models": [{"name": title(a)}, {"name": title(b)}],
        "examples": [
            {
                "input_text": _asked(a, b),
                "tags": [],
                "output_text_a": a.content,
                "output_text_b": b.content,
                "score": None,
                "individual_rater_scores": [],
                "custom_fields": _fields(a, b),
            }
        ],
    }
    return json.dumps(plain(page), ensure_ascii=False, indent=2) + "\n"


def left_out(count: int, columns: Columns = FIRST_TWO) -> str:
    """Return which of a comparison's columns such a file leaves out; empty for none."""
    rest = [LETTERS[number] for number in range(count) if number not in columns]
    if count < 2 or not rest:
        return ""
    taken = " and ".join(LETTERS[number] for number in columns)
    return f"LLM Comparator shows two models: the file has {taken}, and not {' and '.join(rest)}."


def _checked(count: int, columns: Columns) -> Columns:
    if count < 2:
        raise ConfigurationError(
            "LLM Comparator shows two models side by side, and this comparison has one column. "
            "Take another format, such as json or html."
        )
    if len(set(columns)) != 2 or not all(0 <= number < count for number in columns):
        raise ConfigurationError(
            f"Name two different columns of {LETTERS[:count]}, such as AB: "
            "LLM Comparator shows two models side by side."
        )
    return columns


def _asked(a: InferenceResult, b: InferenceResult) -> str:
    """Return what both were asked; where that differs, each under its letter."""
    first, second = _spoken(a), _spoken(b)
    return first if first == second else f"A:\n{first}\n\nB:\n{second}"


def _spoken(result: InferenceResult) -> str:
    messages = result.prompt.messages
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n\n".join(f"{one['role']}: {one['content']}" for one in messages)


def _schema() -> list[dict[str, str]]:
    return [
        *({"name": name, "type": "per_model_number"} for name in _NUMBERS),
        {"name": "finish_reason", "type": "per_model_category"},
    ]


def _fields(a: InferenceResult, b: InferenceResult) -> dict[str, Any]:
    names = (*_NUMBERS, "finish_reason")
    return {name: [getattr(a.stats, name), getattr(b.stats, name)] for name in names}
