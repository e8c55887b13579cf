"""Grading: an answer's text against the assertions of its prompt."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.core.text import without_surrogates
from comparator.evaluation.assertions import (
    expressions,
    json_checks,
    names,
    patterns,
    schemas,
    texts,
)
from comparator.evaluation.assertions.findings import AnswerFinding
from comparator.evaluation.assertions.similarity import Embeddings
from comparator.storage.kept_suite import Assertion, AssertionOutcome, Item, Record

WAITS = "Waits for the judge."
LONGEST_SECONDS = 10.0  # of all searches in one answer; each has its own limit beside
_SEARCHES = ("regex", *names.JSON_TYPES)


class Grader:
    """Grades answers; a context manager.

    It is cheap but for ``python``, which starts a child process for each answer, and ``similar``,
    which loads a model once. So it is best used while no model writes.
    """

    def __init__(self) -> None:
        self._embeddings = Embeddings()
        self._searched_seconds = 0.0  # in the answer that is being graded

    def __enter__(self) -> Grader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back what was loaded; it may be used again."""
        self._embeddings.close()

    def make_ready(self, items: Iterable[Item]) -> None:
        """Import what the assertions of prompts need, before a model is measured.

        The model of ``similar`` is left for when it is asked.
        """
        used = {names.split(one.type)[0] for item in items for one in item.assertions}
        if "regex" in used:
            patterns.make_ready()
        if used & set(names.JSON_TYPES):
            schemas.make_ready()

    def grade(self, item: Item, record: Record) -> list[AssertionOutcome]:
        """Return what became of each assertion of a prompt, in their order.

        Args:
            item: the prompt.
            record: of the answer. Its ``content`` is graded, and never what was thought before.
        """
        answer = str(record.get("content") or "")
        self._searched_seconds = 0.0
        evaluated = self._evaluated(item, answer)
        return [
            _outcome(assertion, evaluated.get(number) or self._finding(assertion, answer))
            for number, assertion in enumerate(item.assertions)
        ]

    def _evaluated(self, item: Item, answer: str) -> dict[int, AnswerFinding]:
        """Return what all ``python`` assertions of a prompt have found, by their places."""
        mine = {
            number: assertion
            for number, assertion in enumerate(item.assertions)
            if names.split(assertion.type)[0] == "python"
        }
        if not mine:
            return {}
        sources = [str(assertion.value) for assertion in mine.values()]
        thresholds = [assertion.threshold for assertion in mine.values()]
        found = expressions.findings(sources, thresholds, answer, _context(item))
        return dict(zip(mine, found, strict=True))

    def _finding(self, assertion: Assertion, answer: str) -> AnswerFinding:
        base, _ = names.split(assertion.type)
        if base == "llm-rubric":
            return AnswerFinding(None, WAITS, is_undecided=True)
        try:
            if base == "similar":
                return self._embeddings.similar(answer, assertion.value, assertion.threshold)
            if base in _SEARCHES:
                return self._searched(base, answer, assertion.value)
            return _of_text(base, answer, assertion.value)
        except ConfigurationError as error:  # what ``check`` would have refused
            return AnswerFinding(None, f"It could not be told: {str(error).rstrip('.')}.")
        except Exception as error:  # of one that was never checked; it must not end its suite
            words = str(error).splitlines()[0][:200] if str(error) else ""
            return AnswerFinding(None, f"It could not be told: {type(error).__name__}: {words}.")

    def _searched(self, base: str, answer: str, value: Any) -> AnswerFinding:
        """Look for what may take long, unless others have taken all the time that an answer has."""
        if self._searched_seconds > LONGEST_SECONDS:
            return AnswerFinding(
                None,
                f"It was not looked at: the assertions before it took {LONGEST_SECONDS:g} s.",
            )
        began = time.monotonic()
        try:
            return _of_text(base, answer, value)
        finally:
            self._searched_seconds += time.monotonic() - began


def _of_text(base: str, answer: str, value: Any) -> AnswerFinding:
    ignores_case = base.startswith("icontains")
    match base.removeprefix("i") if ignores_case else base:
        case "equals":
            return texts.equals(answer, value)
        case "contains":
            return texts.contains(answer, value, ignores_case=ignores_case)
        case "contains-all":
            return texts.contains_all(answer, value, ignores_case=ignores_case)
        case "contains-any":
            return texts.contains_any(answer, value, ignores_case=ignores_case)
        case "starts-with":
            return texts.starts_with(answer, value)
        case "regex":
            return patterns.matches(answer, str(value))
        case "is-json":
            return json_checks.is_json(answer, value)
        case "contains-json":
            return json_checks.contains_json(answer, value)
    raise ConfigurationError(f"there is no assertion {base!r}")


def _context(item: Item) -> dict[str, Any]:
    """Return what expressions are told besides the answer, under promptfoo's names."""
    given: dict[str, Any] = {**item.vars}
    if item.expected is not None:
        given.setdefault("expected", item.expected)
    test = {"id": item.id, "vars": given, "tags": item.tags}
    return {"prompt": item.question, "vars": given, "test": test}


def _outcome(assertion: Assertion, finding: AnswerFinding) -> AssertionOutcome:
    _, is_inverse = names.split(assertion.type)
    passed = finding.passed(is_inverse)
    score = finding.score
    if score is not None and is_inverse:
        score = 1 - score
    return AssertionOutcome(assertion.type, passed, without_surrogates(finding.why), score)
