"""A suite on the terminal: a line for each slot, and what can be told of the pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from comparator.cli.display.columns import aligned
from comparator.cli.display.model_table import shown
from comparator.core.text import with_controls_shown
from comparator.core.units import size
from comparator.evaluation.disturbed_cells import disturbed_sentence
from comparator.evaluation.pareto import pareto_of
from comparator.evaluation.shown import shown as suite_as_json
from comparator.storage.kept_suite import KeptSuite

_HEAD = ("model", "answered", "passed", "pass rate (95 %)", "tokens/s", "all together", "memory")
_NONE = "–"
_AT_ONCE = (
    "Several answers were written at once: no speed of one is known of them. --batch 1 tells it."
)
_NOTHING_ASSERTED = (
    "No prompt says what its answer must be. 'comparator suite report' shows answers side by side."
)
_LONGEST_REASON = 100  # characters of a line


def as_text(kept: KeptSuite) -> str:
    """Return what came of a suite: the table, the pairs, what failed, and the judge."""
    told = suite_as_json(kept)
    lines = [_title(kept, told), "", *_table(kept, told["summary"])]
    lines += ["", _AT_ONCE] if any(cell.batch > 1 for cell in kept.cells) else []
    disturbed = disturbed_sentence(kept.cells)
    lines += ["", disturbed] if disturbed else []
    sentences = [pair["sentence"] for pair in told["pairs"] if pair.get("sentence")]
    if not any(item.assertions for item in kept.suite.items) and not kept.verdicts:
        sentences = [_NOTHING_ASSERTED]
    lines += ["", *map(with_controls_shown, sentences)] if sentences else []
    keep = pareto_of(kept).sentences if len(kept.slots) > 1 else []
    lines += ["", *map(with_controls_shown, keep)] if keep else []
    judged = (kept.judge or {}).get("sentences") or []
    lines += ["", *map(with_controls_shown, judged)] if judged else []
    failed = list(_failures(kept))
    lines += ["", *failed] if failed else []
    return "\n".join(lines)


def _title(kept: KeptSuite, told: dict[str, Any]) -> str:
    repeats = f" × {kept.repeats} repeats" if kept.repeats > 1 else ""
    name = shown(kept.name)
    prompts = f"{told['prompts']} prompt{'s' * (told['prompts'] != 1)}"
    return f"{name} ({kept.id}, {kept.state}): {prompts}{repeats}"


def _table(kept: KeptSuite, summary: Sequence[dict[str, Any]]) -> list[str]:
    rows = [_HEAD, *(_row(shown(kept.slots[line["slot"]].label), line) for line in summary)]
    return list(aligned(rows, range(1, len(_HEAD))))


def _row(label: str, line: dict[str, Any]) -> tuple[str, ...]:
    asked = line["answered"] + line["failed"] + line["pending"]
    return (
        label,
        f"{line['answered']}/{asked}",
        f"{line['passed']}/{line['told']}" if line["told"] else _NONE,
        _rate(line),
        _number(line["tokens_per_second"]),
        _number(line["aggregate_tokens_per_second"]),
        size(line["peak_bytes"]) if line["peak_bytes"] else _NONE,
    )


def _rate(line: dict[str, Any]) -> str:
    if line["pass_rate"] is None:
        return _NONE
    low, high = line["interval"] or (0.0, 1.0)
    return f"{line['pass_rate']:.0%} ({low:.0%} to {high:.0%})"


def _number(value: float | None) -> str:
    return f"{value:.1f}" if value else _NONE


def _failures(kept: KeptSuite) -> Iterator[str]:
    """Yield each reason for which cells could not be answered, once, with how many they were."""
    reasons: dict[tuple[int, str], int] = {}
    for cell in kept.cells:
        if cell.state == "failed":
            error = " ".join(str((cell.record or {}).get("error") or "no reason").split())
            reasons[cell.slot, error] = reasons.get((cell.slot, error), 0) + 1
    for (slot, error), count in reasons.items():
        label, told = shown(kept.slots[slot].label), shown(error)
        told = told if len(told) <= _LONGEST_REASON else f"{told[: _LONGEST_REASON - 1]}…"
        yield f"{label}: {count} not answered: {told}"
