"""The peer of a plain spawned child for each model, running the loop written by hand.

The same line protocol as ``by_hand.py``. Each child is a fresh interpreter that imports its
libraries, answers and exits.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import by_hand
import psutil


def child(path: str, prompt: str, tokens: int, began: float, answer: Connection) -> None:
    """Run one model and send its figures, counted from the parent's start of this child."""
    started = time.monotonic() - began
    figures = by_hand.ask(path, prompt, tokens)
    for name in ("load_seconds", "first_token_seconds", "seconds"):
        figures[name] += started
    answer.send(figures)


def ask(path: str, prompt: str, tokens: int) -> dict[str, float]:
    """Ask one model in a child started by plain spawn."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(path, prompt, tokens, time.monotonic(), theirs))
    process.start()
    theirs.close()
    figures: dict[str, float] = ours.recv()
    process.join()
    return figures


def serve() -> None:
    """Answer one round for each line of standard input."""
    print(json.dumps({}), flush=True)
    own = psutil.Process()
    for line in sys.stdin:
        request = json.loads(line)
        before, began = own.memory_full_info().uss, time.perf_counter()
        models = {
            Path(path).name: ask(path, request["prompt"], request["tokens"])
            for path in request["models"]
        }
        seconds = time.perf_counter() - began
        time.sleep(1)
        held = own.memory_full_info().uss - before
        print(json.dumps({"seconds": seconds, "held_bytes": held, "models": models}), flush=True)


if __name__ == "__main__":
    serve()
