"""``comparator history``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from comparator.cli.errors import FAILED, tell
from comparator.core.exceptions import ConfigurationError
from comparator.core.text import with_controls_shown
from comparator.hosting.records import of_entry
from comparator.storage.history import MOST_LISTED, Entry, History

CHANGES: dict[str, Callable[[History, str], bool]] = {  # by the word before the ids
    "remove": History.remove,
    "pin": History.pin,
    "unpin": lambda history, name: history.pin(name, False),
}
_DONE = {"remove": "removed", "pin": "pinned", "unpin": "unpinned"}
_LONGEST_QUESTION = 72  # characters of a line


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORDS]",
            help="Only comparisons with all of these words in a question, a system prompt, an "
            "answer or a model's name. 'remove ID…' deletes comparisons, 'pin ID…' keeps them "
            "however many or old they get, 'unpin ID…' no longer.",
            show_default=False,
        ),
    ] = None,
    most: Annotated[
        int,
        typer.Option("-n", metavar="N", min=1, max=MOST_LISTED, help="How many at the most."),
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead.")] = False,
) -> int:
    """List the comparisons that were asked before, the newest first; remove or pin some."""
    history = History()
    try:
        if words and words[0] in CHANGES and len(words) > 1:
            return _change(history, words[0], words[1:])
        return _list(history, " ".join(words or ()), most, as_json)
    finally:
        history.close()


def _list(history: History, words: str, most: int, as_json: bool) -> int:
    found = history.find(words, most=most)
    if not found and history.trouble:
        tell(history.trouble)
        return FAILED
    if as_json:
        json.dump([of_entry(one) for one in found], sys.stdout, ensure_ascii=False, indent=2)
        print()
    elif found:
        print("\n".join(line for entry in found for line in _lines(entry)))
    else:
        print(_nothing(history, words))
    return 0


def _nothing(history: History, words: str) -> str:
    if words:
        return f"No comparison has {with_controls_shown(words)!r}."
    if not history.is_on:
        return "Nothing is kept: COMPARATOR_HISTORY is off."
    return "No comparison is kept yet. 'comparator run' and the page keep what they ask."


def _lines(entry: Entry) -> list[str]:
    """Return a comparison in two lines: when and what, and who answered how."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.created))
    question = with_controls_shown(" ".join(entry.question.split()))
    if len(question) > _LONGEST_QUESTION:
        question = f"{question[: _LONGEST_QUESTION - 1]}…"
    pairs = zip(entry.models, entry.states, strict=True)
    columns = ", ".join(f"{with_controls_shown(name)} ({state})" for name, state in pairs)
    pinned = "  pinned" if entry.is_pinned else ""
    return [f"{entry.id}  {when}  {question}{pinned}", f"              {columns}"]


def _change(history: History, word: str, names: Sequence[str]) -> int:
    """Remove, pin or unpin what ids or ``last`` name."""
    missing = []
    for name in names:
        shown = with_controls_shown(name)
        if CHANGES[word](history, name):
            print(f"{_DONE[word]} {shown}")
        elif history.trouble:
            tell(history.trouble)
            return FAILED
        else:
            missing.append(shown)
    if missing:
        raise ConfigurationError(
            f"The history has no comparison {', '.join(missing)}, or several that begin so. "
            "'comparator history' lists them."
        )
    return 0
