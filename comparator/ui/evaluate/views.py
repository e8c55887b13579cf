"""From suites to what the tab's script draws: plain values, no Gradio.

A matrix goes to the browser as a line for each prompt, one sign for each answer. Gradio sends the
lines that have changed, so a suite of thousands of answers costs a few bytes for each.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

from comparator.core.text import with_controls_shown
from comparator.hosting.suites.live_suite import LiveSuite
from comparator.storage.history import Entry
from comparator.storage.kept_suite import Assertion, Cell, Item, KeptSuite, Suite

View = dict[str, Any]
PREVIEWED = 20  # prompts of a suite that was read
LONGEST_LINE = 200  # characters of a prompt in a list
PENDING, PASSED, MISSED, ANSWERED, FAILED = ".", "p", "m", "a", "x"
ALIKE, PARTED = "=", "d"  # the first sign of a line: whether its answers differ
_FIGURES = (
    *("prompt_tokens", "token_count", "tokens_per_second", "time_to_first_token"),
    *("duration", "load_seconds", "memory_usage", "finish_reason"),
)
_numbers = itertools.count(1)


def numbered(**values: Any) -> View:
    """Return a view that is news for the browser, also where it is as the last one."""
    return {"number": next(_numbers), **values}


def of_reading(suite: Suite, most_seconds: float | None = None) -> View:
    """Return the view of a suite that was read, before it is run.

    Args:
        suite: what was read.
        most_seconds: how long it takes where each answer is as long as it may be; None where
            nobody knows.
    """
    return numbered(
        name=_plain(suite.name),
        count=len(suite.items),
        assertions=sum(len(item.assertions) for item in suite.items),
        first=[_item(item) for item in suite.items[:PREVIEWED]],
        notes=[_plain(note) for note in suite.notes],
        most_seconds=_rounded(most_seconds),
        trouble="",
    )


def of_refusal(sentence: str) -> View:
    """Return the view of a suite that could not be read or begun."""
    return numbered(trouble=_plain(sentence))


def of_entries(entries: Sequence[Any], running: str, builtin: Sequence[str], trouble: str) -> View:
    """Return the view of the list of kept suites."""
    return numbered(
        entries=[_entry(entry) for entry in entries],
        running=running,
        builtin=list(builtin),
        trouble=_plain(trouble),
    )


def of_comparisons(entries: Sequence[Entry], trouble: str) -> View:
    """Return the view of comparisons whose questions may be chosen."""
    told = [
        {"id": entry.id, "created": entry.created, "question": _line(entry.question)}
        for entry in entries
    ]
    return numbered(entries=told, trouble=_plain(trouble))


def of_opening(kept: KeptSuite) -> View:
    """Return what of a suite does not change while it runs."""
    return numbered(
        id=kept.id,
        name=_plain(kept.name),
        created=kept.created,
        repeats=kept.repeats,
        batch=kept.batch,
        columns=[_column(slot.label or str(slot.model.get("name", ""))) for slot in kept.slots],
        prompts=[
            [_plain(item.id), _line(item.question), list(map(_plain, item.tags))]
            for item in kept.suite.items
        ],
    )


class Matrix:
    """The matrix of a suite; what has not changed since the last look is not made anew."""

    def __init__(self) -> None:
        self._cells: list[Cell] = []
        self._lines: list[str] = []

    def lines(self, kept: KeptSuite) -> list[str]:
        """Return a line for each prompt: whether its answers differ, then slots and repeats."""
        before, now = self._cells, kept.cells
        if len(before) != len(now):
            changed = set(range(len(kept.suite.items)))
        else:
            pairs = zip(before, now, strict=True)
            changed = {cell.prompt for old, cell in pairs if old is not cell and old != cell}
        if changed:
            lines = self._lines or [""] * len(kept.suite.items)
            by_prompt = _by_prompt(now, changed)
            fresh = {prompt: _line_of(cells) for prompt, cells in by_prompt.items()}
            self._lines = [fresh.get(number, line) for number, line in enumerate(lines)]
        self._cells = now
        return self._lines


def of_live(kept: KeptSuite, matrix: Matrix, live: LiveSuite | None = None) -> View:
    """Return what of a suite changes while it waits and runs."""
    progress = live.progress() if live is not None and not live.is_over else None
    is_live = live is not None and not live.is_over
    return {
        "id": kept.id,
        "state": _state(kept, live),
        "is_live": is_live,
        "position": live.position if live is not None else 0,
        "trouble": _plain(live.trouble) if live is not None else "",
        "stage": _stage(kept, progress) if progress else None,
        "seconds_left": _rounded(progress.seconds_left) if progress else None,
        "lines": matrix.lines(kept),
    }


def of_cell(kept: KeptSuite, cell: Cell) -> View:
    """Return one answer, whole."""
    item, record = kept.suite.items[cell.prompt], cell.record or {}
    thinking = record.get("thinking")
    stats = record.get("stats") or {}
    return numbered(
        id=kept.id,
        slot=cell.slot,
        prompt=cell.prompt,
        repeat=cell.repeat,
        sign=sign_of(cell),
        label=_column(kept.slots[cell.slot].label),
        messages=_messages(item),
        expected=_plain(item.expected) if item.expected is not None else None,
        content=_plain(str(record.get("content") or "")),
        thinking=_plain(thinking["text"]) if thinking else "",
        error=_plain(str(record.get("error") or "")),
        assertions=_assertions(item, cell),
        figures={name: stats[name] for name in _FIGURES if stats.get(name) is not None},
        batch=cell.batch,
        seed=(record.get("config") or {}).get("seed"),
        trouble="",
    )


def of_prompt(kept: KeptSuite, prompt: int) -> View:
    """Return a prompt without its answers, such as for whoever wants to vote on them blind."""
    item = kept.suite.items[prompt]
    return numbered(
        id=kept.id,
        slot=-1,
        prompt=prompt,
        repeat=0,
        label=_plain(item.id),
        messages=_messages(item),
        expected=_plain(item.expected) if item.expected is not None else None,
        asserted=[words_of(one) for one in item.assertions],
        trouble="",
    )


def sign_of(cell: Cell) -> str:
    """Return the sign of an answer in the matrix."""
    if cell.state != "done":
        return FAILED if cell.state == "failed" else PENDING
    if cell.passed is None:
        return ANSWERED
    return PASSED if cell.passed else MISSED


def words_of(assertion: Assertion) -> str:
    """Return what an assertion asks for, in a line."""
    if assertion.value is None:
        return assertion.type
    value = assertion.value
    told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _line(f"{assertion.type} {told}")


def _stage(kept: KeptSuite, progress: Any) -> View | None:
    """Return what goes on, of which model, and how much of it is done; the page has the words."""
    if not progress.stage:
        return None
    label = kept.slots[progress.slot].label if progress.slot is not None else ""
    return {"name": progress.stage, "of": _column(label), "percent": progress.percent}


def _state(kept: KeptSuite, live: LiveSuite | None) -> str:
    if live is None or live.is_over:
        return "interrupted" if kept.state == "running" and live is not None else kept.state
    if live.is_stopping:
        return "stopping"
    return "waiting" if live.position else "running"


def _by_prompt(cells: Sequence[Cell], prompts: set[int]) -> dict[int, list[Cell]]:
    found: dict[int, list[Cell]] = {prompt: [] for prompt in prompts}
    for cell in cells:
        if cell.prompt in found:
            found[cell.prompt].append(cell)
    return found


def _line_of(cells: Sequence[Cell]) -> str:
    ordered = sorted(cells, key=lambda cell: (cell.slot, cell.repeat))
    signs = "".join(map(sign_of, ordered))
    return (PARTED if _differ(ordered, signs) else ALIKE) + signs


def _differ(cells: Sequence[Cell], signs: str) -> bool:
    """Whether slots fared differently with a prompt; without assertions, whether texts differ."""
    told = [cell for cell in cells if cell.state != "pending"]
    if len({cell.slot for cell in told}) < 2:
        return False
    by_slot: dict[int, list[str]] = {}
    for cell in told:
        by_slot.setdefault(cell.slot, []).append(sign_of(cell))
    if set(signs) - {PENDING} != {ANSWERED}:
        return len({tuple(sorted(fates)) for fates in by_slot.values()}) > 1
    return len({str((cell.record or {}).get("content")).strip() for cell in told}) > 1


def _item(item: Item) -> View:
    return {
        "id": _plain(item.id),
        "question": _line(item.question),
        "messages": len(item.messages),
        "assertions": [words_of(one) for one in item.assertions],
        "tags": list(map(_plain, item.tags)),
    }


def _messages(item: Item) -> list[list[str]]:
    return [[one["role"], _plain(one["content"])] for one in item.messages]


def _assertions(item: Item, cell: Cell) -> list[View]:
    """Return what became of each assertion, with what it asked for where that is known."""
    asked = [words_of(one) for one in item.assertions]
    is_whole = len(asked) == len(cell.assertions)
    return [
        {
            "passed": one.passed,
            "words": asked[number] if is_whole else _plain(one.type),
            "reason": _plain(one.reason),
        }
        for number, one in enumerate(cell.assertions)
    ]


def _entry(entry: Any) -> View:
    return {
        "id": entry.id,
        "name": _plain(entry.name),
        "created": entry.created,
        "state": entry.state,
        "prompts": entry.prompts,
        "repeats": entry.repeats,
        "columns": [_column(label) for label in entry.labels],
        "done": entry.done,
        "failed": entry.failed,
        "total": entry.total,
    }


def _column(label: str) -> str:
    return _plain(label)


def _rounded(seconds: float | None) -> int | None:
    return None if seconds is None else max(0, round(seconds))


def _line(text: str) -> str:
    whole = " ".join(text.split())
    short = whole if len(whole) <= LONGEST_LINE else whole[: LONGEST_LINE - 1] + "…"
    return with_controls_shown(short)


def _plain(text: Any) -> str:
    return with_controls_shown(str(text))
