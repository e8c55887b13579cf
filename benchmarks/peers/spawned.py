"""The peer of a plain spawned child for each model, running the loop written by hand.

Each child is a fresh interpreter that imports its libraries, answers and exits. Its times count
from the parent's start of it. See ``lines.py`` for the lines.
"""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection

import by_hand
import lines


def child(path: str, prompt: str, tokens: int, began: float, answer: Connection) -> None:
    """Run one model and send its figures, counted from the parent's start of this child."""
    by_hand.import_libraries(path)
    started = time.monotonic() - began
    figures = by_hand.ask(path, prompt, tokens)
    for name in ("load_seconds", "first_token_seconds", "seconds"):
        figures[name] += started
    answer.send(figures)


def ask(path: str, prompt: str, tokens: int) -> lines.Figures:
    """Ask one model in a child started by plain spawn."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(path, prompt, tokens, time.monotonic(), theirs))
    process.start()
    theirs.close()
    figures: lines.Figures = ours.recv()
    process.join()
    return figures


if __name__ == "__main__":
    lines.serve(lines.one_after_another(ask), {})
