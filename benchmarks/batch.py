"""What it gains to write several answers at once, in tokens of all of them a second.

Usage: ``python -m benchmarks.batch [MODEL …] [--sizes 8 …] [--answers N] [--tokens N]
[--rounds N] [--threads N] [--json FILE]``; without a model the starter models in ``models``.

Each round asks the same questions one by one and with every size, in turn, each time in a process
of its own as a suite does. Told are the tokens of all answers a second, twice: while as many are
written as can be (decode), and from the first prompt to the last end (all), in which prompts are
read, and at whose end fewer and fewer are left.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import ModelInfo
from comparator.library.discovery import inspect
from runners import protocol
from runners.process import Run

from . import machine
from .programs import PeerError

STARTER = ("gguf/SmolLM2-135M-Instruct.Q8_0.gguf", "pytorch/SmolLM2-135M-Instruct")
QUESTIONS = (
    "Tell me a long story about a fox.",
    "Explain how rain forms.",
    "What is the capital of France, and why?",
    "Write a poem on leaves that fall in autumn.",
    "List ten animals and what they eat.",
    "How do I bake bread at home? Give steps.",
    "Describe the sun to a child.",
    "Why is the sky blue? Explain in detail.",
)


class Speed(NamedTuple):
    """Tokens of all answers a second: while as many are written as can be, and of all the time."""

    decode: float
    all: float


@dataclass
class Figures:
    """Speeds round after round, by how many answers were written at once.

    Attributes:
        model: its name.
        rounds: for each size the rounds' values.
        said: what its engine said is off, such as answers that were written one by one after all.
    """

    model: str
    rounds: dict[int, list[Speed]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def median(self, size: int) -> Speed:
        """Return the median of the rounds."""
        return Speed(*map(statistics.median, zip(*self.rounds[size], strict=True)))

    def gain(self, size: int) -> Speed:
        """Return how many times as fast a size is as one by one: the median of the rounds."""
        pairs = list(zip(self.rounds[size], self.rounds[1], strict=True))
        return Speed(
            _gain([(many.decode, one.decode) for many, one in pairs]),
            _gain([(many.all, one.all) for many, one in pairs]),
        )


def _gain(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the median of how many times the one is the other; NaN where nothing was measured.

    Answers of a single token have no speed.
    """
    gains = [many / one for many, one in pairs if many and one]
    return statistics.median(gains) if gains else math.nan


def main() -> None:
    """Measure, and print a line for each model and size."""
    options = _options()
    models = options.models or [Path("models") / place for place in STARTER]
    try:
        found = [measured(model_at(Path(path)), options) for path in models]
    except PeerError as error:
        raise SystemExit(str(error)) from error
    for figures in found:
        for sentence in figures.said:
            print(f"{figures.model}: {sentence}")
        for size in figures.rounds:
            print(f"{figures.model}, {size} at once: {_line(figures, size)}")
    if options.json:
        told = {"machine": machine.machine(), "versions": machine.versions()}
        told["models"] = [asdict(figures) for figures in found]  # type: ignore[assignment]
        options.json.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def _line(figures: Figures, size: int) -> str:
    speed, gain = figures.median(size), figures.gain(size)
    told = f"{speed.decode:.1f} tokens a second, {speed.all:.1f} with prompts and ends"
    return told if size == 1 else f"{told}: {_x(gain.decode)} and {_x(gain.all)} one by one"


def _x(gain: float) -> str:
    return "unknown times" if math.isnan(gain) else f"{gain:.2f} x"


def measured(model: ModelInfo, options: argparse.Namespace) -> Figures:
    """Return a model's figures, every size once in each round."""
    figures = Figures(model.name)
    for _ in range(options.rounds):
        for size in (1, *options.sizes):
            speed, said = asked(model, size, options.answers, options.tokens, options.threads)
            print(f"{model.name}, {size} at once: {speed}", file=sys.stderr)
            figures.rounds.setdefault(size, []).append(speed)
            figures.said += [sentence for sentence in said if sentence not in figures.said]
    return figures


def asked(
    model: ModelInfo, size: int, answers: int, tokens: int, threads: int | None = None
) -> tuple[Speed, Sequence[str]]:
    """Return the tokens a second of all answers, and what the engine said is off.

    Raises:
        PeerError: the run failed.
    """
    config = ModelConfig(max_tokens=tokens, do_sample=False, n_ctx=512, n_threads=threads)
    work = protocol.Answer(
        model, config, tuple(map(Conversation.of, questions(answers))), batch=size
    )
    messages = _messages(protocol.Assignment(work, time.monotonic(), readable=(model.path,)))
    final = messages[-1]
    if not isinstance(final, protocol.Finished):
        raise PeerError(f"{model.name} did not answer: {getattr(final, 'message', final)}")
    size = max(m.batch for m in messages if isinstance(m, protocol.Answered))
    return Speed(decode_speed(messages, size), whole_speed(messages)), final.fallbacks


def questions(count: int) -> list[str]:
    """Return so many questions, which repeat themselves after the first few."""
    return [QUESTIONS[number % len(QUESTIONS)] for number in range(count)]


def decode_speed(messages: Sequence[Any], size: int) -> float:
    """Return the tokens a second of all answers while so many of them are written."""
    writing: set[int] = set()
    tokens, seconds, before = 0, 0.0, 0.0
    for message in sorted(messages, key=lambda message: getattr(message, "seconds", 0.0)):
        if not isinstance(message, (protocol.Token, protocol.Answered)):
            continue
        if len(writing) == size:
            seconds += message.seconds - before
            tokens += isinstance(message, protocol.Token)
        before = message.seconds
        if isinstance(message, protocol.Token):
            writing.add(message.answer)
        else:
            writing.discard(message.answer)
    return tokens / seconds if seconds else 0.0


def whole_speed(messages: Sequence[Any]) -> float:
    """Return the tokens of all answers over the time from the first prompt to the last end."""
    began = min(m.seconds for m in messages if isinstance(m, protocol.Prompted))
    ends = [m for m in messages if isinstance(m, protocol.Answered)]
    return sum(end.tokens for end in ends) / (max(end.seconds for end in ends) - began)


def _messages(assignment: protocol.Assignment) -> list[protocol.Message]:
    messages: list[protocol.Message] = []
    run = Run()
    run.start(assignment, messages.append)
    run.join()
    return messages


def model_at(path: Path) -> ModelInfo:
    """Return the model at a path.

    Raises:
        PeerError: there is none.
    """
    model = inspect(path)
    if model is None or model.problem:
        raise PeerError(f"There is no model at {path}.")
    return model


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--sizes", nargs="+", type=int, default=[8])
    parser.add_argument("--answers", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
