"""A suite as the JSON of ``promptfoo export``, version 3, which its viewer and ``import`` take.

Sources: promptfoo's ``src/types/index.ts`` (EvaluateSummaryV3, EvaluateResult, CompletedPrompt,
GradingResult) and ``src/evaluator.ts`` (each repeat is a test of its own). Each slot is a provider,
and so a prompt of its own in promptfoo's table. What a judge could not tell is in the metadata: an
assertion of promptfoo's passes or fails. Cells that wait are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from comparator.comparison.exports.promptfoo import (
    ASSERTED,
    ERROR,
    NO_FAILURE,
    PROMPT,
    VARIABLE,
    digest_of,
    file_of,
    metadata_of,
    milliseconds_of,
    provider_of,
    response_of,
    spoken,
    usage_of,
)
from comparator.core.models import InferenceResult
from comparator.evaluation.report.contents import Contents
from comparator.storage.kept_suite import Assertion, AssertionOutcome, Cell, Item, SuiteSlot

Json = dict[str, Any]


def suite_promptfoo(contents: Contents) -> str:
    """Return a suite as promptfoo's file of an evaluation."""
    kept = contents.kept
    found = [
        (cell, result) for cell in kept.cells if (result := contents.result_of(cell)) is not None
    ]
    results = [_result(contents, cell, result) for cell, result in found]
    told = {
        "prompts": [_prompt(contents, slot, results, found) for slot in contents.slots],
        "results": results,
        "stats": _stats(results, [result for _cell, result in found]),
    }
    config = {
        "description": f"multi-llm-comparator {kept.name}",
        "providers": [_provider(slot) for slot in kept.slots],
        "tests": [_test(item) for item in kept.suite.items],
        **({"evaluateOptions": {"repeat": kept.repeats}} if kept.repeats > 1 else {}),
    }
    return file_of(kept.id, contents.moment, told, config)


def _provider(slot: SuiteSlot) -> Json:
    told = provider_of(InferenceResult.from_record({"model": slot.model, "config": slot.config}))
    return {**told, "label": slot.label or told["label"]}


def _test(item: Item) -> Json:
    told: Json = {
        "description": item.id,
        "vars": {VARIABLE: spoken(item.messages)},
        "assert": [_assertion(one) for one in item.assertions],
        "metadata": {"id": item.id, "tags": list(item.tags)},
    }
    return told if item.expected is None else {
        **told, "metadata": {**told["metadata"], "expected": item.expected}
    }  # fmt: skip


def _assertion(assertion: Assertion) -> Json:
    told: Json = msgspec.to_builtins(assertion)
    return told


def _result(contents: Contents, cell: Cell, result: InferenceResult) -> Json:
    item = contents.kept.suite.items[cell.prompt]
    text = spoken(item.messages)
    answered = cell.state == "done"
    success = answered and cell.passed is not False
    provider = _provider(contents.kept.slots[cell.slot])
    return {
        "promptIdx": cell.slot,
        "testIdx": cell.prompt * contents.kept.repeats + cell.repeat,
        "testCase": _test(item),
        "promptId": digest_of(text),
        "prompt": {"raw": text, "label": text},
        "vars": {VARIABLE: text},
        "provider": {name: provider[name] for name in ("id", "label")},
        "response": response_of(result),
        "error": _trouble(cell, result),
        "failureReason": NO_FAILURE if success else ASSERTED if answered else ERROR,
        "success": success,
        "score": _score(cell) if answered else 0,
        "latencyMs": milliseconds_of(result),
        "gradingResult": _grading(cell, item) if answered and cell.assertions else None,
        "namedScores": {},
        "cost": 0,
        "tokenUsage": usage_of([result]),
        "metadata": {**metadata_of(result), "batch": cell.batch, "repeat": cell.repeat,
                     "notTold": [one.type for one in cell.assertions if one.passed is None]},
    }  # fmt: skip


def _trouble(cell: Cell, result: InferenceResult) -> str | None:
    """Return why a cell is no success: what promptfoo's table shows below an answer."""
    if result.error:
        return result.error
    failed = [one.reason for one in cell.assertions if one.passed is False]
    return failed[0] if failed else None


def _told(cell: Cell) -> list[bool]:
    return [one.passed for one in cell.assertions if one.passed is not None]


def _score(cell: Cell) -> float:
    told = _told(cell)
    return sum(told) / len(told) if told else 1


def _grading(cell: Cell, item: Item) -> Json:
    parts = [
        _component(outcome, item.assertions[place] if place < len(item.assertions) else None)
        for place, outcome in enumerate(cell.assertions)
        if outcome.passed is not None
    ]
    failed = [part["reason"] for part in parts if not part["pass"]]
    return {
        "pass": not failed,
        "score": _score(cell),
        "reason": failed[0] if failed else "All assertions passed",
        "namedScores": {},
        "tokensUsed": {"total": 0, "prompt": 0, "completion": 0, "cached": 0},
        "componentResults": parts,
    }


def _component(outcome: AssertionOutcome, assertion: Assertion | None) -> Json:
    return {
        "pass": outcome.passed,
        "score": outcome.score if outcome.score is not None else int(bool(outcome.passed)),
        "reason": outcome.reason,
        "assertion": _assertion(assertion) if assertion else {"type": outcome.type},
    }


def _prompt(
    contents: Contents,
    slot: int,
    results: Sequence[Json],
    found: Sequence[tuple[Cell, InferenceResult]],
) -> Json:
    mine = [one for one in results if one["promptIdx"] == slot]
    cells = [(cell, result) for cell, result in found if cell.slot == slot]
    told = [passed for cell, _result in cells for passed in _told(cell)]
    return {
        "id": digest_of(PROMPT),
        "raw": PROMPT,
        "label": PROMPT,
        "provider": _provider(contents.kept.slots[slot])["label"],
        "metrics": {
            "score": sum(one["score"] for one in mine),
            **_counts(mine, "testPassCount", "testFailCount", "testErrorCount"),
            "assertPassCount": told.count(True),
            "assertFailCount": told.count(False),
            "totalLatencyMs": sum(one["latencyMs"] for one in mine),
            "tokenUsage": usage_of([result for _cell, result in cells]),
            "namedScores": {},
            "namedScoresCount": {},
            "cost": 0,
        },
    }


def _stats(results: Sequence[Json], answers: Sequence[InferenceResult]) -> Json:
    return {
        **_counts(results, "successes", "failures", "errors"),
        "tokenUsage": usage_of(answers),
        "durationMs": sum(one["latencyMs"] for one in results),
    }


def _counts(results: Sequence[Json], passed: str, failed: str, errors: str) -> Json:
    reasons = [one["failureReason"] for one in results]
    return {
        passed: reasons.count(NO_FAILURE),
        failed: reasons.count(ASSERTED),
        errors: reasons.count(ERROR),
    }
