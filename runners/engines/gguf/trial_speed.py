"""Which settings are the faster ones on this processor, measured with tiny models.

Only what depends on the processor is measured, and only what the level allows; a tie goes to
llama.cpp's default, so that the choice is the same each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runners.engines.gguf import library, tiny_model
from runners.engines.gguf.trial_model import TinyContext, TinyModel
from runners.machine import cores

CLEARLY = 1.15  # times as fast: less is chance on a machine that does other things as well
ROUNDS = 3
PROMPT_TOKENS = 512
ANSWER_TOKENS = 4
KIND = "Q8_0"


def faster_settings(
    llama: Any, folder: Path, settings: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str], dict[str, float]]:
    """Return the settings to use from now on, sentences about them, and what was measured."""
    chosen, notes, figures = dict(settings), [], {}
    path = folder / "trial-speed.gguf"
    tiny_model.write(path, KIND)
    with library.log_kept(quiet=True):
        model = TinyModel(llama, path, bool(settings["use_extra_bufts"]))
        path.unlink()
        try:
            if settings["flash_attention"] == "auto":
                seconds = _compared(model, settings, "flash_attention", ("auto", "off"), True)
                figures.update(_named("flash attention", seconds))
                chosen["flash_attention"] = choice = _choice(seconds)
                if choice != "auto":
                    notes.append("Flash attention is off: it is slower on this processor.")
            counts = thread_choices() if settings.get("threads") is None else ()
            if len(counts) > 1:
                seconds = _compared(model, chosen, "threads", counts, False)
                figures.update(_named("threads", seconds))
                if (count := _choice(seconds)) != counts[0]:
                    chosen["threads"] = count
                    notes.append(
                        f"{count} threads are used instead of {counts[0]}: they are faster here."
                    )
        finally:
            model.close()
    return chosen, notes, figures


def thread_choices() -> tuple[int, ...]:
    """Return the numbers of threads worth trying, the rule's first; one where it is clear."""
    return (cores.threads_for_one_of(1), *cores.other_thread_counts())


def _compared(
    model: TinyModel, settings: Mapping[str, Any], name: str, values: Sequence[Any], alone: bool
) -> dict[Any, tuple[float, float]]:
    """Return the least seconds of reading and of writing with each value, tried in turn."""
    contexts = {
        value: TinyContext(
            model,
            {**settings, name: value},
            alone=alone,
            tokens_at_once=PROMPT_TOKENS,
            all_scores=False,
        )
        for value in values
    }
    try:
        rounds = [
            {value: _times(context) for value, context in contexts.items()} for _ in range(ROUNDS)
        ]
    finally:
        for context in contexts.values():
            context.close()
    return {
        value: (min(r[value][0] for r in rounds), min(r[value][1] for r in rounds))
        for value in values
    }


def _times(context: TinyContext) -> tuple[float, float]:
    """Return the seconds of reading a prompt, and the least of writing a token after it."""
    context.clear()
    prompt = [place % tiny_model.VOCABULARY_TOKENS for place in range(PROMPT_TOKENS)]
    reading = _seconds(lambda: context.read(prompt))
    writing = min(_seconds(lambda: context.read([1])) for _ in range(ANSWER_TOKENS))
    return reading, writing


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _choice(seconds: Mapping[Any, tuple[float, float]]) -> Any:
    """Return the first value, unless another is clearly faster in one and never slower."""
    first, *others = seconds
    best = first
    for other in others:
        gains = [was / now for was, now in zip(seconds[best], seconds[other], strict=True)]
        if max(gains) >= CLEARLY and min(gains) >= 1.0:
            best = other
    return best


def _named(name: str, seconds: Mapping[Any, tuple[float, float]]) -> dict[str, float]:
    return {
        f"{name} {value}, {part} ms": round(1000 * taken, 3)
        for value, both in seconds.items()
        for part, taken in zip(("reading", "writing"), both, strict=True)
    }
