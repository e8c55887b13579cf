"""Time to first token of a run forked from a warm process, against a plain spawned child.

Usage: python benchmarks/start_cost.py MODEL ... [--repeats 5] [--write RESULT.json]

Both run the same child code on the same model, one after the other in turn (A B A B …). The
warm process is started and one uncounted run of each is made before. Quote the medians and the
ratio; the times themselves depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import queue
import statistics
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo
from comparator.library.discovery import inspect
from comparator.services.warm_up import kinds_of, modelling_modules
from runners import protocol
from runners.process import Run
from runners.zygote import zygotes

PROMPT = "What is the capital of France?"


def first_token_seconds(model: ModelInfo, method: str) -> float:
    """Return the seconds from asking for a run until its first token."""
    news: queue.SimpleQueue[protocol.Message] = queue.SimpleQueue()
    assignment = protocol.Assignment(
        kind=model.model_type.value,
        model={**asdict(model), "model_type": model.model_type.value},
        prompt=PROMPT,
        config=asdict(ModelConfig(max_tokens=4, do_sample=False)),
        started=time.monotonic(),
        readable=(model.path,),
    )
    run = Run(assignment, news.put, start_method=method).start()
    run.join()
    messages = [news.get() for _ in range(news.qsize())]
    for message in messages:
        if isinstance(message, protocol.Token):
            return message.seconds
    raise SystemExit(f"{model.name} did not answer: {messages[-1]}")


def measure(model: ModelInfo, repeats: int) -> dict[str, object]:
    """Run both in turn and return the medians, the ratio and what they were measured on."""
    zygotes.warm_up(kinds_of([model]), modelling_modules([model]))  # as the page does at its start
    seconds: dict[str, list[float]] = {"fork": [], "spawn": []}
    for number in range(repeats + 1):
        for method, times in seconds.items():
            taken = first_token_seconds(model, method)
            if number:  # the first of each warms the file cache and the fork server
                times.append(taken)
    ratios = [a / b for a, b in zip(seconds["fork"], seconds["spawn"], strict=True)]
    return {
        "what": "seconds to the first token",
        "model": model.name,
        "engine": model.model_type.value,
        "forked_seconds": round(statistics.median(seconds["fork"]), 3),
        "spawned_seconds": round(statistics.median(seconds["spawn"]), 3),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)],
        "repeats": repeats,
        "machine": {"cores": os.cpu_count(), "system": platform.platform(terse=True)},
        "versions": {n: version(n) for n in ("torch", "transformers", "llama-cpp-python")},
    }


def main() -> None:
    """Read the arguments, measure and print or write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="+", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    rows = []
    for path in arguments.model:
        model = inspect(path)
        if model is None:
            raise SystemExit(f"There is no model at {path}.")
        rows.append(measure(model, arguments.repeats))
    zygotes.close()
    text = json.dumps(rows, indent=2)
    print(text)
    if arguments.write:
        arguments.write.parent.mkdir(parents=True, exist_ok=True)
        arguments.write.write_text(text + "\n")


if __name__ == "__main__":
    main()
