"""Expressions that a suite's file has: a job, so that no line of theirs runs in the parent.

They get few names, but nobody relies on that: Python's insides are reached from any object. What
holds them is this process, its sandbox, and its limits of memory and processor time.
"""

from __future__ import annotations

import builtins
import importlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from comparator.core import expressions
from comparator.core.exceptions import ConfigurationError
from comparator.core.text import without_surrogates
from runners.child import memory_limit
from runners.protocol import JobProgress

SECONDS = 1  # of processor time that each may take, or half of it: the system counts whole ones
MEMORY_BYTES = 256 * 1024 * 1024
MOST = 1e300  # of a number; NaN and infinity are none that can be told
LONGEST_REASON = 500  # characters


def run(arguments: dict[str, Any], progress: JobProgress, should_stop: Callable[[], bool]) -> str:
    """Evaluate expressions about one answer, one after another.

    Args:
        arguments: ``expressions``; ``output``, the answer's text; ``context``, as JSON text.
        progress: told the number of each expression before it begins, counted from 0.
        should_stop: asked between them.

    Returns:
        A JSON list with an object for each: ``passed`` (true, false or null), ``score`` (a
        number or null) and ``reason``; or ``error``, why it could not be evaluated.

    Raises:
        ConfigurationError: this process is not shut in.
    """
    if openings := list(_openings()):
        raise ConfigurationError(
            "Expressions are only run where a sandbox keeps them from files and network, and here "
            f"it does not ({', '.join(openings)} can be reached). Leave out assertions of the type "
            "python."
        )
    _limit_memory()
    found: list[dict[str, Any]] = []
    for number, source in enumerate(arguments["expressions"]):
        if should_stop():
            break
        progress(expressions.STEP, number, len(arguments["expressions"]))
        _limit_time()
        found.append(_result(source, arguments["output"], arguments["context"]))
    return json.dumps(found)


def _openings() -> Iterator[str]:
    """Yield in words what this process could reach of the machine."""
    try:
        os.listdir("/")
        yield "files"
    except OSError:
        pass
    try:
        socket.socket().close()
        yield "the network"
    except OSError:
        pass


def _limit_memory() -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = memory_limit.data_bytes() + MEMORY_BYTES
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _limit_time() -> None:
    """Have the system end this process when the next expression takes longer than it may."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    most = round(time.process_time()) + SECONDS
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _result(source: str, output: str, context: str) -> dict[str, Any]:
    try:
        names = {**_names(), "output": output, "context": json.loads(context)}
        return _told(eval(compile(source.strip(), "<expression>", "eval"), names))
    except MemoryError:
        return {"error": "it needed more memory than an expression may have"}
    except BaseException as error:
        words = f"{type(error).__name__}: {error}".strip().removesuffix(":")
        return {"error": without_surrogates(words)[:LONGEST_REASON]}


def _names() -> dict[str, Any]:
    known: dict[str, Any] = {
        "__builtins__": {name: getattr(builtins, name) for name in expressions.BUILTINS}
    }
    for name, parts in expressions.MODULES.items():
        module = importlib.import_module(name)
        known[name] = SimpleNamespace(**{part: getattr(module, part) for part in parts})
    return known


def _told(value: Any) -> dict[str, Any]:
    """Return what an expression's value says: a truth, a number, or a dict with ``pass``."""
    if isinstance(value, bool):
        return {"passed": value, "score": None, "reason": ""}
    if isinstance(value, (int, float)) and -MOST <= value <= MOST:
        return {"passed": None, "score": float(value), "reason": ""}
    if isinstance(value, dict) and ("pass" in value or "score" in value):
        return _told_in_full(value)
    kind = type(value).__name__
    shown = without_surrogates(repr(value))[:100]
    return {
        "error": f"its value is {shown} ({kind}); it must be True or False, a number, or a "
        "dict with pass, score and reason"
    }


def _told_in_full(value: dict[Any, Any]) -> dict[str, Any]:
    passed, score, reason = value.get("pass"), value.get("score"), value.get("reason")
    is_number = isinstance(score, (int, float)) and not isinstance(score, bool)
    if passed is not None and not isinstance(passed, bool):
        return {"error": "its pass must be True or False"}
    if score is not None and not (is_number and 0 <= score <= 1):
        return {"error": "its score must be a number from 0 to 1"}
    words = "" if reason is None else without_surrogates(str(reason))[:LONGEST_REASON]
    return {
        "passed": passed,
        "score": None if score is None else float(score),
        "reason": words,
    }
