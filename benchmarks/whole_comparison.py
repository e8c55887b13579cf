"""A whole comparison by us, by hand in one process, and by a spawned child a model.

Usage: python benchmarks/whole_comparison.py MODEL ... [--repeats 3] [--tokens 128]
           [--write benchmarks/results/whole_comparison.json]

All three run in turn (A B C A B C …) on the same models, prompt, greedy sampling and limit of
tokens, after one uncounted round that warms file cache, imports and fork servers. Quote medians
and ratios. Memory held is the private memory that a program has more a second after a round.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from comparator.core.config import ModelConfig
from comparator.library.discovery import inspect
from comparator.services.inference_engine import InferenceEngine

HERE = Path(__file__).parent
PROMPT = "Write a long story about a lighthouse keeper and the sea."
Round = dict[str, Any]


class Ours:
    """The comparator as a library, its fork servers warm."""

    def __init__(self, models: list[str]) -> None:
        found = [inspect(Path(path)) for path in models]
        self._models = [model for model in found if model is not None]
        self._engine = InferenceEngine()

    def round(self, tokens: int) -> Round:
        """Run one comparison and return its figures."""
        config = ModelConfig(max_tokens=tokens, do_sample=False, repeat_penalty=1.0)
        own = psutil.Process()
        before, began = own.memory_full_info().uss, time.perf_counter()
        *_, results = self._engine.run_inference(
            PROMPT, self._models, {model.id: config for model in self._models}
        )
        seconds = time.perf_counter() - began
        time.sleep(1)
        held = own.memory_full_info().uss - before
        models = {
            Path(r.model.path).name: {
                "load_seconds": r.stats.load_seconds,
                "first_token_seconds": r.stats.time_to_first_token,
                "seconds": r.stats.duration,
                "tokens": r.stats.token_count,
                "tokens_per_second": r.stats.tokens_per_second,
            }
            for r in results.values()
            if r.model
        }
        return {"seconds": seconds, "held_bytes": held, "models": models}

    def close(self) -> None:
        """End the fork servers."""
        self._engine.cleanup_resources()


class Peer:
    """A program of ``peers/`` that answers a round for each line."""

    def __init__(self, name: str, models: list[str]) -> None:
        self._models = models
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "peers" / f"{name}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._answer()

    def round(self, tokens: int) -> Round:
        """Run one comparison and return its figures."""
        request = {"models": self._models, "prompt": PROMPT, "tokens": tokens}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the program."""
        self._process.communicate()

    def _answer(self) -> Round:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args} ended; run it by hand to see why.")
        answer: Round = json.loads(line)
        return answer


def measure(models: list[str], repeats: int, tokens: int) -> Round:
    """Run all three in turn and return every round and the medians."""
    runners: dict[str, Ours | Peer] = {
        "comparator": Ours(models),
        "by_hand": Peer("by_hand", models),
        "spawned": Peer("spawned", models),
    }
    rounds: dict[str, list[Round]] = {name: [] for name in runners}
    for number in range(repeats + 1):
        for name, runner in runners.items():
            taken = runner.round(tokens)
            if number:
                rounds[name].append(taken)
    for runner in runners.values():
        runner.close()
    return {
        "what": "a whole comparison, one model after another, greedy",
        "prompt": PROMPT,
        "token_limit": tokens,
        "repeats": repeats,
        "machine": {"cores": os.cpu_count(), "system": platform.platform(terse=True)},
        "versions": {n: version(n) for n in ("torch", "transformers", "llama-cpp-python")},
        "medians": {name: _medians(taken) for name, taken in rounds.items()},
        "ratios_of_seconds": {
            f"comparator/{peer}": _ratio(rounds["comparator"], rounds[peer])
            for peer in ("by_hand", "spawned")
        },
        "rounds": rounds,
    }


def _medians(rounds: list[Round]) -> Round:
    names = rounds[0]["models"]
    keys = next(iter(names.values()))
    return {
        "seconds": round(statistics.median(r["seconds"] for r in rounds), 2),
        "held_megabytes": round(statistics.median(r["held_bytes"] for r in rounds) / 1e6, 1),
        "models": {
            name: {
                key: round(statistics.median(r["models"][name][key] for r in rounds), 3)
                for key in keys
            }
            for name in names
        },
    }


def _ratio(ours: list[Round], theirs: list[Round]) -> list[float]:
    """Return median, least and most of the ratio round by round."""
    ratios = [a["seconds"] / b["seconds"] for a, b in zip(ours, theirs, strict=True)]
    return [round(value, 3) for value in (statistics.median(ratios), min(ratios), max(ratios))]


def main() -> None:
    """Read the arguments, measure and print or write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="+")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    result = measure(arguments.model, arguments.repeats, arguments.tokens)
    print(json.dumps({k: v for k, v in result.items() if k != "rounds"}, indent=2))
    if arguments.write:
        arguments.write.parent.mkdir(parents=True, exist_ok=True)
        arguments.write.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
