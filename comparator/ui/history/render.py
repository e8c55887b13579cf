"""From kept comparisons to what the history's list shows: plain values, no Gradio."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from comparator.core.text import with_controls_shown
from comparator.storage.history import Entry
from comparator.ui.worded import sentence

View = dict[str, Any]
_numbers = itertools.count(1)


def listed(
    entries: Sequence[Entry],
    words: str,
    most: int,
    is_on: bool,
    trouble: str = "",
    after: Sequence[float] | None = None,
) -> View:
    """Return the view of a list, or of its next part.

    Args:
        entries: what was found, one more than ``most`` where there is more.
        words: what was searched.
        most: how many are shown.
        is_on: whether comparisons are kept at all.
        trouble: why the history cannot be used, in a sentence; empty where it can.
        after: the place of the entry behind which they stand; None for the begin.
    """
    return {
        "number": next(_numbers),  # so that each answer is a new one for the browser
        "words": words,
        "after": list(after) if after is not None else None,
        "entries": [_entry(entry) for entry in entries[:most]],
        "more": len(entries) > most,
        "on": is_on,
        "trouble": trouble,
    }


def note(words: str) -> str:
    """Return what went wrong as HTML; empty for nothing."""
    return f'<p class="error" role="alert">{sentence(words)}</p>' if words else ""


def _entry(entry: Entry) -> View:
    return {
        "id": entry.id,
        "created": entry.created,
        "place": list(entry.place),
        "question": with_controls_shown(entry.question),
        "columns": [
            [with_controls_shown(name), state]
            for name, state in zip(entry.models, entry.states, strict=True)
        ],
        "pinned": entry.is_pinned,
        "parent": entry.parent,
    }
