"""A page's suite as it was given, and what of it is refused before anything is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation import suite_files
from comparator.hosting.requests import RequestDraft
from comparator.storage.kept_suite import Item

MOST_BATCH = 64
STRANGERS_ASSERTIONS = ("python", "llm-rubric")  # start a process, or ask a further model
MOST_ASSERTIONS = 20  # of a stranger's prompt: each may take a second or two, and holds the line
TOO_MANY_ASSERTIONS = (
    "Prompt {} has {} assertions; this public page takes {}. Take fewer, or run the comparator on "
    "your own machine."
)
NO_SUCH_ASSERTION = (
    "{!r} assertions are not for a public page, since they start more processes. Leave them out, "
    "or run the comparator on your own machine."
)
NO_PARQUET = (
    "A public page reads no Parquet files: a small one may unpack to any size. Save it as .jsonl "
    "or .csv, or run the comparator on your own machine."
)


@dataclass(frozen=True)
class SuiteDraft:
    """A suite that is to be run, as it was given: nothing of it is checked yet.

    Attributes:
        source: where its prompts come from, as ``suite_sources.suite_of`` takes it.
        asked: its models and settings; the prompt in it is not used.
        repeats: how often each prompt is asked of each model.
        batch: answers decoded at once: ``auto`` or a number.
        judge: the id or name of the model that judges; empty for none.
        name: of the run; empty for the suite's own.
    """

    source: Any
    asked: RequestDraft
    repeats: Any = 1
    batch: Any = "auto"
    judge: str = ""
    name: str = ""


def batch_of(told: Any) -> str | int:
    """Return how many answers are to be decoded at once: ``auto`` or a number.

    Raises:
        ConfigurationError: it is neither.
    """
    if told in ("auto", "", None):
        return "auto"
    return whole("batch", told, MOST_BATCH)


def whole(name: str, told: Any, most: int) -> int:
    """Return a whole number from 1 to ``most``, as a page's field or a program tells it.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        number = int(told) if isinstance(told, (int, str)) and type(told) is not bool else 0
    except ValueError:
        number = 0
    if isinstance(told, float) and told.is_integer():  # so a page's field for numbers tells it
        number = int(told)
    if not 1 <= number <= most:
        raise ConfigurationError(f"{name} must be a whole number from 1 to {most}.")
    return number


def refuse_parquet(source: Any) -> None:
    """Refuse a source that strangers may not bring.

    Raises:
        ConfigurationError: it is a Parquet file.
    """
    name = source.get("name") if isinstance(source, Mapping) else None
    if isinstance(name, str) and suite_files.ending_of(name) == suite_files.PARQUET:
        raise ConfigurationError(NO_PARQUET)


def refuse_assertions(items: Sequence[Item]) -> None:
    """Refuse assertions that strangers may not have.

    Raises:
        ConfigurationError: one starts a process or asks a further model, or there are too many.
    """
    for number, item in enumerate(items, start=1):
        if (count := len(item.assertions)) > MOST_ASSERTIONS:
            raise ConfigurationError(TOO_MANY_ASSERTIONS.format(number, count, MOST_ASSERTIONS))
        for assertion in item.assertions:
            kind = assertion.type.removeprefix("not-")
            if kind in STRANGERS_ASSERTIONS:
                raise ConfigurationError(NO_SUCH_ASSERTION.format(kind))
