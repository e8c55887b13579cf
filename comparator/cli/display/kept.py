"""Comparisons of the history, for the commands that read one."""

from __future__ import annotations

from comparator.core.exceptions import ConfigurationError
from comparator.core.text import name_shown
from comparator.storage.history import LAST, History
from comparator.storage.kept_comparison import KeptComparison


def from_history(history: History, name: str) -> KeptComparison:
    """Return a kept comparison of one's own.

    Raises:
        ConfigurationError: there is none of that name, several begin so, or the file cannot be
            read.
    """
    kept = history.get(name)
    if kept is not None:
        return kept
    if history.trouble:
        raise ConfigurationError(f"The history cannot be read: {history.trouble}")
    if name == LAST:
        raise ConfigurationError(
            "There is no comparison in the history yet. What 'comparator run' asks is kept there, "
            "unless the history is switched off."
        )
    raise ConfigurationError(
        f"No one comparison of the history is meant by {name_shown(name)[:60]!r}. "
        "'comparator history' lists them; four digits of an id are enough where no other begins so."
    )


def earlier_of(history: History, kept: KeptComparison) -> list[KeptComparison]:
    """Return the comparison that this one may repeat: its parent, where that is still kept."""
    parent = history.get(kept.parent) if kept.parent else None
    return [parent] if parent else []
