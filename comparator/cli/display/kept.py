"""What is kept of comparisons and of suites, for the commands that read one."""

from __future__ import annotations

from typing import Protocol, TypeVar

from comparator.core.exceptions import ConfigurationError
from comparator.core.text import name_shown
from comparator.storage.history import History
from comparator.storage.kept_comparison import KeptComparison
from comparator.storage.kept_suite import KeptSuite
from comparator.storage.names import LAST
from comparator.storage.suites import Suites

_Kept = TypeVar("_Kept", covariant=True)
_NO_COMPARISON = (
    "There is no comparison in the history yet. What 'comparator run' asks is kept there, unless "
    "the history is switched off."
)
_NO_SUITE = (
    "No suite is kept here yet. 'comparator suite run basic -m MODEL' runs the built-in one."
)


class _Keeps(Protocol[_Kept]):
    @property
    def trouble(self) -> str: ...

    def get(self, name: str, owner: str = "") -> _Kept | None: ...


def from_history(history: History, name: str) -> KeptComparison:
    """Return a kept comparison of one's own.

    Raises:
        ConfigurationError: there is none of that name, several begin so, or the file cannot be
            read.
    """
    if (kept := _found(history, name, "The history", _NO_COMPARISON)) is not None:
        return kept
    raise _unclear(name, "comparison of the history", "comparator history")


def from_suites(suites: Suites, name: str) -> KeptSuite:
    """Return a kept suite of one's own.

    Raises:
        ConfigurationError: as ``from_history``.
    """
    if (kept := _found(suites, name, "The suites", _NO_SUITE)) is not None:
        return kept
    raise _unclear(name, "suite", "comparator suite list")


def earlier_of(history: History, kept: KeptComparison) -> list[KeptComparison]:
    """Return the comparison that this one may repeat: its parent, where that is still kept."""
    parent = history.get(kept.parent) if kept.parent else None
    return [parent] if parent else []


def _found(store: _Keeps[_Kept], name: str, stored: str, nothing_yet: str) -> _Kept | None:
    """Return what a name means; None where it means nothing, or more than one."""
    kept = store.get(name)
    if kept is None and store.trouble:
        raise ConfigurationError(f"{stored} cannot be read: {store.trouble}")
    if kept is None and name == LAST:
        raise ConfigurationError(nothing_yet)
    return kept


def _unclear(name: str, kind: str, lists: str) -> ConfigurationError:
    return ConfigurationError(
        f"No one {kind} is meant by {name_shown(name)[:60]!r}. '{lists}' lists them; "
        "four digits of an id are enough where no other begins so."
    )
