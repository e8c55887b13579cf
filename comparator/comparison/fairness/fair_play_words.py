"""What ``fair_play`` found, in English: for exports and the command line.

The page words the same in the reader's language (``ui/texts/*/fair_play.json``, same keys).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from comparator.comparison.fairness.fair_play import FairPlay
from comparator.comparison.fairness.settings_taken import Setting
from comparator.core.text import with_controls_shown

NOTHING = "–"
# Of what may differ; a setting that is not here is called by its own name.
NAMES = {
    "ended": "How it ended",
    "question": "Question",
    "figures": "What the figures are of",
    "template": "Chat template",
    "fallbacks": "What was off",
    "disturbed": "Disturbed",
    "files": "Files when loaded",
    "device": "Device",
    "threads": "Threads",
    "engine": "Engine",
    "way": "Way of decoding",
    "context": "Context (tokens)",
    "system_prompt": "System prompt",
    "lora": "LoRA",
    "dtype": "Number type",
    "prompt_notes": "What became of the prompt",
    "date": "Date told",
    "beside": "Other models beside it",
    "order": "Order",
}
VALUES = {
    "ended.stop": "by itself",
    "ended.cut_tokens": "cut at max_tokens",
    "ended.cut_context": "cut, its context was full",
    "ended.stopped": "stopped",
    "ended.failed": "failed",
    "figures.rest": "the rest of an answer that was gone on with",
    "figures.whole": "the whole answer",
    "template.gguf": "the GGUF file's",
    "template.tokenizer": "the tokenizer's",
    "template.fallback": "a general one, the model has none",
    "template.none": "none, plain text",
    "disturbed.load": "while it loaded",
    "disturbed.prefill": "while it read the prompt",
    "disturbed.decode": "while it wrote",
    "files.cold": "cold, read from the disk",
    "files.partly": "partly in the file cache",
    "files.warm": "warm, in the file cache",
}
VERDICTS = {
    "uneven": "makes it uneven",
    "chosen": "your choice",
    "natural": "by nature",
}
REASONS = {
    "own_limit": "this model's own limit",
    "batch_room": "what each of several answers at once needs",
    "rounded": "rounded up by the engine",
    "fits": "what fits",
    "engine_took": "the engine took another value",
    "shared": "shared by models that ran together",
    "automatic": "chosen automatically",
    "no_device": "no accelerator was used",
    "until_full": "until it ends or its context is full",
    "no_room": "its context had no more room",
    "no_template": "this model has no chat template",
    "general_template": "this model has none, so a general template was used",
    "drawn": "drawn at random",
    "engine": "this engine does not use it",
    "greedy": "not used when greedy",
}


@dataclass(frozen=True)
class DifferenceRow:
    """A difference in words: what, in each column, and what it means."""

    name: str
    values: list[str]
    verdict: str


def rows(found: FairPlay) -> list[DifferenceRow]:
    """Return the differences in words, what makes the comparison uneven first."""
    return [
        DifferenceRow(
            NAMES.get(one.name, one.name),
            [value_in_words(one.name, value) for value in one.values],
            VERDICTS[one.verdict],
        )
        for one in found.differences
    ]


def verdict(found: FairPlay) -> str:
    """Return in a sentence whether the comparison was fair."""
    if found.is_fair:
        return "Nothing found that makes this comparison uneven."
    changed = sum(setting.source == "given" for one in found.columns for setting in one.changed)
    parts = [_counted(len(found.uneven), "difference makes", "differences make") + " it uneven"]
    parts += [_counted(changed, "setting was", "settings were") + " not taken as asked"]
    parts = [part for part, count in zip(parts, (len(found.uneven), changed), strict=True) if count]
    return f"Fair play: {' and '.join(parts)}."


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def changes(found: FairPlay) -> Iterator[str]:
    """Yield a sentence for each setting that a model did not take as it was asked."""
    for column in found.columns:
        for setting in column.changed:
            yield f"{with_controls_shown(column.name)}: {change_in_words(setting)}."


def change_in_words(setting: Setting) -> str:
    """Return what became of a setting: ``n_ctx 16384 became 8192 (this model's own limit)``."""
    asked = value_in_words(setting.name, setting.asked)
    became = "" if setting.taken is None else f" became {_shown(setting.taken)}"
    return f"{setting.name} {asked}{became} ({REASONS.get(setting.why, setting.why)})"


def value_in_words(name: str, value: Any) -> str:
    """Return the value of a row in words, safe to show."""
    if isinstance(value, list):
        return ", ".join(value_in_words(name, one) for one in value) or NOTHING
    return VALUES.get(f"{name}.{value}") or _shown(value)


def _shown(value: Any) -> str:
    if value is None or value in ("", {}):
        return NOTHING
    told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return with_controls_shown(told)
