"""The parent's side of ``python``: all expressions about one answer in one child.

An expression that takes the child with it has not passed; the others are asked again without it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from comparator.core.exceptions import ConfigurationError
from comparator.core.expressions import STEP, check_expression
from comparator.core.quiet import quiet
from comparator.evaluation.assertions.findings import AnswerFinding, quoted
from comparator.library.changes import child_jobs
from runners import protocol
from runners.timeouts import Deadlines

JOB = "evaluate_expressions"
MEMORY_BYTES = 64 * 1024 * 1024  # what the child needs itself; it limits its expressions further
# An expression has a second of processor time; on a busy machine that may take long. One that
# sleeps, and poses as if its process came forward, is ended by the limit of all together.
_DEADLINES = Deadlines(load_seconds=60.0, total_seconds=600.0)
_WHOLE_RUN = "whole run"
MOST_ENDED = 10  # processes that expressions about one answer may take with them
_TOO_MANY = (
    f"It was not evaluated: {MOST_ENDED} other expressions about this answer ended their process."
)


class _Result(msgspec.Struct):
    """What the child says of one expression."""

    passed: bool | None = None
    score: float | None = None
    reason: str = ""
    error: str | None = None


def check(source: str) -> None:
    """Refuse what is no expression, and any where there is no sandbox for it.

    Raises:
        ConfigurationError: says why; without a place.
    """
    if not sys.platform.startswith("linux"):
        raise ConfigurationError(
            "expressions are run in a sandbox, which only Linux has here; leave it out"
        )
    check_expression(source)


def findings(
    sources: Sequence[str],
    thresholds: Sequence[float | None],
    answer: str,
    context: Mapping[str, Any],
) -> list[AnswerFinding]:
    """Evaluate expressions about one answer, in a child.

    Args:
        sources: the expressions.
        thresholds: the least score that passes, of each; None for any above 0.
        answer: what they call ``output``.
        context: what they call so; it must be ready for JSON.
    """
    waiting = dict(enumerate(sources))
    found: dict[int, AnswerFinding] = {}
    told = json.dumps(context)
    while waiting:
        final, number = _run(list(waiting.values()), answer, told)
        places = list(waiting)
        if isinstance(final, protocol.Finished) and (results := _results(final, len(places))):
            for place, result in zip(places, results, strict=True):
                found[place] = _meaning(sources[place], result, thresholds[place])
            break
        if number is None:  # it ended before any of them began
            failure = AnswerFinding(None, _not_begun(final), is_undecided=True)
            found |= dict.fromkeys(places, failure)
            break
        place = places[number]
        found[place] = AnswerFinding(None, f"The expression {quoted(sources[place])} {_end(final)}")
        del waiting[place]
        if len(found) == MOST_ENDED:
            found |= dict.fromkeys(waiting, AnswerFinding(None, _TOO_MANY))
            break
    return [found[place] for place in range(len(sources))]


def _run(sources: list[str], answer: str, context: str) -> tuple[protocol.Message, int | None]:
    """Return the end of a child, and the number of the expression that it came to."""
    arguments = {"expressions": sources, "output": answer, "context": context}
    assignment = protocol.Assignment(
        protocol.Job(JOB, arguments),
        started=time.monotonic(),
        memory_limit_bytes=MEMORY_BYTES,
        is_background=quiet.is_background,
    )
    number: int | None = None
    message: protocol.Message | None = None
    for message in child_jobs.messages(assignment, deadlines=_DEADLINES):
        if isinstance(message, protocol.Loading) and message.step == STEP:
            number = min(int(message.done), len(sources) - 1)
    assert message is not None, "a run ends by a final message"
    return message, number


def _results(final: protocol.Finished, count: int) -> list[_Result] | None:
    try:
        results = msgspec.json.decode(final.text, type=list[_Result])
    except (msgspec.MsgspecError, ValueError):
        return None
    return results if len(results) == count else None


def _meaning(source: str, result: _Result, threshold: float | None) -> AnswerFinding:
    shown = quoted(source)
    if result.error is not None:
        return AnswerFinding(None, f"The expression {shown} failed: {result.error}.")
    score, passed = result.score, result.passed
    if score is not None and (threshold is not None or passed is None):
        enough = score > 0 if threshold is None else score >= threshold
        passed = enough if passed is None else passed and enough
    told = score if score is None or 0 <= score <= 1 else None  # others measure something else
    if result.reason:
        return AnswerFinding(passed, result.reason, told)
    if score is None:
        return AnswerFinding(passed, f"The expression {shown} is {passed}.")
    least = "" if threshold is None else f"; at least {threshold:g} is asked for"
    return AnswerFinding(passed, f"The expression {shown} gives {score:g}{least}.", told)


def _end(final: protocol.Message) -> str:
    if isinstance(final, protocol.Crashed) and "SIGXCPU" in final.cause:
        return "took about a second of processor time and was ended; it may never end."
    if isinstance(final, protocol.TimedOut) and final.stage == _WHOLE_RUN:
        return f"was not done when all expressions had taken {final.limit:g} s, and was ended."
    if isinstance(final, protocol.TimedOut):
        return f"gave no sign for {final.limit:g} s and was ended; it may never end."
    if isinstance(final, protocol.Crashed):
        return f"ended its process: {final.cause}"
    if isinstance(final, protocol.Failed):
        return f"failed: {final.message}"
    return "told nothing that can be understood."


def _not_begun(final: protocol.Message) -> str:
    words = getattr(final, "message", None) or getattr(final, "cause", None)
    return f"Expressions could not be evaluated: {words or 'their process did not begin.'}"
