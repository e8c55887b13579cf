"""Our batch of a transformers model beside transformers' own ways, in tokens of all a second.

Usage: ``python -m benchmarks.continuous_batching [MODEL] [--answers N] [--tokens N] [--rounds N]``.

All answer the same questions at once, in turn in each round: we in a child as a suite does,
transformers in this process, with ``generate`` on a batch padded on the left and with its
continuous batching, ``generate_batch``. Counted from the first prompt to the last end, the model
loaded and one short call made before. A way that does not run here is told with what it said.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from comparator.core.models import ModelInfo

from . import batch, machine

OURS, PADDED, CONTINUOUS = "ours", "generate, padded batch", "generate_batch"
_WARM_UP_TOKENS = 4


class Theirs(NamedTuple):
    """A model of transformers, and the questions as it reads them."""

    model: Any
    tokenizer: Any
    prompts: list[list[int]]

    @classmethod
    def load(cls, path: str, answers: int) -> Theirs:
        """Load a folder in bfloat16, as we do on this processor."""
        import torch
        import transformers

        tokenizer = transformers.AutoTokenizer.from_pretrained(path, padding_side="left")
        model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16)
        turns = ([{"role": "user", "content": text}] for text in batch.questions(answers))
        prompts = [
            list(tokenizer.apply_chat_template(turn, add_generation_prompt=True)["input_ids"])
            for turn in turns
        ]
        return cls(model.eval(), tokenizer, prompts)

    def padded(self, tokens: int) -> int:
        """Answer all in one call of ``generate``; return how many tokens were written."""
        inputs = self.tokenizer.pad({"input_ids": self.prompts}, return_tensors="pt")
        written = self.model.generate(**inputs, max_new_tokens=tokens, do_sample=False)
        answers = written[:, inputs["input_ids"].shape[1] :].tolist()
        return sum(_length(answer, self.tokenizer.eos_token_id) for answer in answers)

    def continuous(self, tokens: int) -> int:
        """Answer all by continuous batching; return how many tokens were written."""
        from transformers import GenerationConfig

        config = GenerationConfig.from_model_config(self.model.config)
        config.update(max_new_tokens=tokens, do_sample=False)
        config.eos_token_id = self.tokenizer.eos_token_id
        found = self.model.generate_batch(inputs=self.prompts, generation_config=config)
        if len(found) != len(self.prompts):
            raise RuntimeError(f"It answered {len(found)} of {len(self.prompts)}.")
        return sum(len(answer.generated_tokens) for answer in found.values())


def _length(answer: Sequence[int], end: int) -> int:
    """Return how many tokens an answer has, its end included; padding follows it."""
    return answer.index(end) + 1 if end in answer else len(answer)


def measured(
    ways: dict[str, Callable[[int], float]], tokens: int, rounds: int
) -> dict[str, list[float] | str]:
    """Return the tokens a second of each way in each round, or why it does not run.

    Args:
        ways: ask for so many tokens of each answer; return the tokens of all a second.
        tokens: of each answer.
        rounds: how many; each begins with another way.
    """
    found: dict[str, list[float] | str] = {name: [] for name in ways}
    for number in range(-1, rounds):  # the first does not count
        order = list(ways)
        turn = number % len(order)
        for name in order[turn:] + order[:turn]:
            values = found[name]
            if isinstance(values, str):
                continue
            try:
                speed = ways[name](_WARM_UP_TOKENS if number < 0 else tokens)
            except Exception as error:  # a library's own words are what is told
                found[name] = f"{type(error).__name__}: {error}"
            else:
                values += [speed] if number >= 0 else []
    return found


def _timed(answer: Callable[[int], int]) -> Callable[[int], float]:
    def speed(tokens: int) -> float:
        began = time.monotonic()
        written = answer(tokens)
        return written / (time.monotonic() - began)

    return speed


def _ours(model: ModelInfo, answers: int) -> Callable[[int], float]:
    return lambda tokens: batch.asked(model, answers, answers, tokens)[0].all


def main() -> None:
    """Measure, and print a line for each way."""
    options = _options()
    theirs = Theirs.load(str(options.model), options.answers)
    ways = {
        OURS: _ours(batch.model_at(options.model), options.answers),
        PADDED: _timed(theirs.padded),
        CONTINUOUS: _timed(theirs.continuous),
    }
    found = measured(ways, options.tokens, options.rounds)
    for name, values in found.items():
        if isinstance(values, str):
            print(f"{name}: does not run here: {values}")
        else:
            rounds = ", ".join(f"{value:.1f}" for value in values)
            print(f"{name}: {statistics.median(values):.1f} tokens a second ({rounds})")
    versions = {name: version for name, version in machine.versions().items() if version}
    print(json.dumps({"machine": machine.machine(), "versions": versions}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    starter = Path("models") / batch.STARTER[1]
    parser.add_argument("model", nargs="?", type=Path, default=starter, metavar="MODEL")
    parser.add_argument("--answers", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
