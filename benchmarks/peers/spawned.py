"""The peer of a plain spawned child for each model, running the loop written by hand.

Each child is a fresh interpreter that imports its libraries, answers and exits. Its times count
from the parent's start of it. See ``lines.py`` for the lines.
"""

from __future__ import annotations

import time

import by_hand
import lines


def child(path: str, prompt: str, tokens: int, began: float) -> lines.Figures:
    """Run one model and return its figures, counted from the parent's start of this child."""
    by_hand.import_libraries(path)
    started = time.monotonic() - began
    figures = by_hand.ask(path, prompt, tokens)
    for name in ("load_seconds", "first_token_seconds", "seconds"):
        figures[name] += started
    return figures


def ask(path: str, prompt: str, tokens: int) -> lines.Figures:
    """Ask one model in a child started by plain spawn."""
    return lines.in_own_process(child, path, prompt, tokens, time.monotonic())


if __name__ == "__main__":
    lines.serve(lines.one_after_another(ask), {})
