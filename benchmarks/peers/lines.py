"""What every program here shares: one round for each JSON line of standard input.

A request is ``{"models": [paths], "prompt": text, "tokens": number}``; its answer is
``{"seconds": wall, "models": [figures in the same order]}`` or ``{"error": text}``. The first
line written says that the program has imported what it needs: ``{"versions": {name: version}}``.
Figures are ``load_seconds``, ``first_token_seconds`` and ``seconds`` from the start of that
model's run, ``tokens`` written and ``tokens_per_second`` from the first to the last of them.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

Figures = dict[str, Any]


def own_output() -> Callable[[dict[str, Any]], None]:
    """Return a writer of lines to standard output, where libraries can no longer print."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def write(answer: dict[str, Any]) -> None:
        kept.write(json.dumps(answer) + "\n")
        kept.flush()

    return write


def one_after_another(ask: Callable[[str, str, int], Figures]) -> Callable[..., list[Figures]]:
    """Return a round that asks each model in turn."""

    def round_of(models: list[str], prompt: str, tokens: int) -> list[Figures]:
        return [ask(path, prompt, tokens) for path in models]

    return round_of


def in_own_process(ask: Callable[..., Figures], *arguments: object) -> Figures:
    """Let a function of a module answer in a fresh interpreter, started by plain spawn.

    Raises:
        RuntimeError: it ended without an answer; its own words are on standard error.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(theirs, ask, *arguments))
    process.start()
    theirs.close()
    try:
        figures: Figures = ours.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"It ended without an answer, exit code {process.exitcode}.") from None
    finally:
        process.join()
        ours.close()
    return figures


def _tell(answer: Connection, ask: Callable[..., Figures], *arguments: object) -> None:
    answer.send(ask(*arguments))


def serve(round_of: Callable[..., list[Figures]], versions: dict[str, str]) -> None:
    """Answer one round for each line of standard input."""
    write = own_output()
    write({"versions": versions})
    for line in sys.stdin:
        began = time.perf_counter()
        try:
            models = round_of(**json.loads(line))
        except Exception as error:
            write({"error": f"{type(error).__name__}: {error}"})
            continue
        write({"seconds": time.perf_counter() - began, "models": models})


def figures(began: float, loaded: float, first: float, ended: float, tokens: int) -> Figures:
    """Return the figures of one model from four times of one clock, in seconds."""
    writing = ended - first
    return {
        "load_seconds": loaded - began,
        "first_token_seconds": first - began,
        "seconds": ended - began,
        "tokens": tokens,
        "tokens_per_second": (tokens - 1) / writing if writing > 0 and tokens > 1 else 0.0,
    }
