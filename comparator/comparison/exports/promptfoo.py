"""The JSON of ``promptfoo export``, version 3, which ``promptfoo import`` takes.

Sources: promptfoo's ``src/types/index.ts`` (EvaluateSummaryV3, EvaluateResult, CompletedPrompt) and
``src/commands/import.ts``. Each column is a provider, and so a prompt of its own in promptfoo's
table; each conversation is a test. Nothing was asserted: an answer passes, a failure is an error.
The providers are none that promptfoo can run, so what it imports is looked at and not run again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from comparator.comparison.exports.sheet import Sheet
from comparator.comparison.exports.words import title
from comparator.core.models import InferenceResult
from comparator.core.text import plain

Json = dict[str, Any]
NO_FAILURE, ASSERTED, ERROR = 0, 1, 2  # of promptfoo's ResultFailureReason
VARIABLE = "prompt"  # which every test has, and every prompt of the file is made of
PROMPT = "{{" + VARIABLE + "}}"
_LETTERS_OF_ID = 12


def sheet_promptfoo(sheet: Sheet) -> str:
    """Return a comparison as promptfoo's file of an evaluation."""
    tests = list(dict.fromkeys(map(_spoken, sheet.results)))
    results = [_result(one, number, tests) for number, one in enumerate(sheet.results)]
    told = {
        "prompts": [_prompt(one) for one in sheet.results],
        "results": results,
        "stats": _stats(sheet.results),
    }
    return file_of(sheet.kept.id, sheet.moment, told, _config(sheet, tests))


def file_of(name: str, moment: str, results: Json, config: Json) -> str:
    """Return promptfoo's file of an evaluation as text.

    Args:
        name: an id of what was evaluated.
        moment: when, as ISO 8601 writes it.
        results: its ``prompts``, ``results`` and ``stats``.
        config: what was asked, as promptfoo's configuration has it, but for its prompts.
    """
    file = {
        "evalId": f"eval-{name[:_LETTERS_OF_ID]}-{moment[:19]}",
        "results": {"version": 3, "timestamp": moment, **results},
        "config": {"prompts": [PROMPT], **config},
        "shareableUrl": None,
        "vars": [VARIABLE],
        "metadata": {"evaluationCreatedAt": moment, "author": None},
    }
    return json.dumps(plain(file), ensure_ascii=False, indent=2) + "\n"


def _config(sheet: Sheet, tests: Sequence[str]) -> Json:
    return {
        "description": f"multi-llm-comparator {sheet.kept.id}",
        "providers": [provider_of(one) for one in sheet.results],
        "tests": [{"vars": {VARIABLE: text}} for text in tests],
    }


def _result(result: InferenceResult, number: int, tests: Sequence[str]) -> Json:
    text = _spoken(result)
    answered = not result.error
    return {
        "promptIdx": number,
        "testIdx": tests.index(text),
        "testCase": {"vars": {VARIABLE: text}, "assert": []},
        "promptId": digest_of(text),
        "prompt": {"raw": text, "label": text},
        "vars": {VARIABLE: text},
        "provider": {key: value for key, value in provider_of(result).items() if key != "config"},
        "response": response_of(result),
        "error": result.error,
        "failureReason": NO_FAILURE if answered else ERROR,
        "success": answered,
        "score": 1 if answered else 0,
        "latencyMs": milliseconds_of(result),
        "gradingResult": None,
        "namedScores": {},
        "cost": 0,
        "tokenUsage": usage_of([result]),
        "metadata": metadata_of(result),
    }


def response_of(result: InferenceResult) -> Json:
    """Return an answer as a provider of promptfoo gives it."""
    response: Json = {
        "output": result.content,
        "cached": False,
        "tokenUsage": tokens_of(result),
        "finishReason": result.stats.finish_reason,
    }
    if result.thinking is not None:
        response["metadata"] = {"reasoning": result.thinking.text}
    return {**response, "error": result.error} if result.error else response


def metadata_of(result: InferenceResult) -> Json:
    """Return what promptfoo shows of an answer and has no field for."""
    stats = result.stats
    return {
        "timeToFirstTokenMs": _in_milliseconds(stats.time_to_first_token),
        "tokensPerSecond": stats.tokens_per_second,
        "loadMs": _in_milliseconds(stats.load_seconds),
        "peakBytes": stats.memory_usage,
        "renderedPrompt": result.prompt.rendered,
        "notice": result.notice,
        "fallbacks": result.fallbacks,
    }


def provider_of(result: InferenceResult) -> Json:
    """Return whom promptfoo is to take a column for."""
    model = result.model
    engine, name = (model.model_type.value, model.name) if model else ("", result.model_id)
    settings = {key: value for key, value in result.config.items() if key not in ("lora",)}
    return {"id": f"comparator:{engine}:{name}", "label": title(result), "config": settings}


def _prompt(result: InferenceResult) -> Json:
    text = _spoken(result)
    return {
        "id": digest_of(text),
        "raw": text,
        "label": text,
        "provider": title(result),
        "metrics": {
            "score": 0 if result.error else 1,
            "testPassCount": 0 if result.error else 1,
            "testFailCount": 0,
            "testErrorCount": 1 if result.error else 0,
            "assertPassCount": 0,
            "assertFailCount": 0,
            "totalLatencyMs": milliseconds_of(result),
            "tokenUsage": usage_of([result]),
            "namedScores": {},
            "namedScoresCount": {},
            "cost": 0,
        },
    }


def _stats(results: Sequence[InferenceResult]) -> Json:
    errors = sum(bool(one.error) for one in results)
    return {
        "successes": len(results) - errors,
        "failures": 0,
        "errors": errors,
        "tokenUsage": usage_of(results),
        "durationMs": sum(map(milliseconds_of, results)),
    }


def usage_of(results: Sequence[InferenceResult]) -> Json:
    """Return tokens as promptfoo counts them; what is an assertion's is nothing here."""
    tokens = [tokens_of(one) for one in results]
    details = {"reasoning": 0, "acceptedPrediction": 0, "rejectedPrediction": 0}
    thought = sum(one.thinking.tokens for one in results if one.thinking)
    nothing = {"total": 0, "prompt": 0, "completion": 0, "cached": 0, "numRequests": 0}
    return {
        **{name: sum(one[name] for one in tokens) for name in ("total", "prompt", "completion")},
        "cached": 0,
        "numRequests": len(results),
        "completionDetails": {**details, "reasoning": thought},
        "assertions": {**nothing, "completionDetails": details},
    }


def tokens_of(result: InferenceResult) -> Json:
    """Return the tokens of one answer."""
    prompt, completion = result.stats.prompt_tokens or 0, result.stats.token_count
    return {"total": prompt + completion, "prompt": prompt, "completion": completion}


def spoken(messages: Sequence[Mapping[str, str]]) -> str:
    """Return what was asked: a question as its text, a conversation as JSON, as promptfoo does."""
    if len(messages) == 1:
        return messages[0]["content"]
    return json.dumps(messages, ensure_ascii=False)


def _spoken(result: InferenceResult) -> str:
    return spoken(result.prompt.messages)


def milliseconds_of(result: InferenceResult) -> int:
    """Return how long one run took; 0 where it never ended."""
    return _in_milliseconds(result.stats.duration) or 0


def _in_milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def digest_of(text: str) -> str:
    """Return what promptfoo knows a prompt by."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
