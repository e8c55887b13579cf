"""What may be said of a board's answers, and what is shown while their names are hidden.

Until a blind board is voted on, all that goes to the browser is made by ``covered``: a letter and
the answer, and the answer only when every column has ended. The names are not hidden by the page:
they are not sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from comparator.core.exceptions import ConfigurationError
from comparator.core.limits import LETTERS
from comparator.hosting.voting import OTHERS

View = dict[str, Any]
FEWEST = 2  # answers that can be told apart
STILL_BLIND = (
    "The names are hidden until you vote. Vote first, or press “Show the names without a vote”."
)


class Shown(Protocol):
    """A column, as far as a ballot looks at it."""

    view: View


@dataclass
class Ballot:
    """What may be said of the answers of one board, and what was.

    Attributes:
        is_blind: whether the names are hidden now.
        was_blind: whether they were hidden when the vote was cast.
        sealed: the comparisons whose names come to light with these, by id.
        answer: the vote: a letter, ``tie`` or ``both_bad``; empty where there is none.
        is_skipped: whether the names were shown without a vote.
        trouble: why the vote is not kept, in a sentence; empty where it is.
    """

    is_blind: bool = False
    was_blind: bool = False
    sealed: list[str] = field(default_factory=list)
    answer: str = ""
    is_skipped: bool = False
    trouble: str = ""

    def next(self) -> Ballot:
        """Return the ballot of a further turn: as blind as this one."""
        return Ballot(self.is_blind, sealed=list(self.sealed) if self.is_blind else [])

    def view(self, columns: Sequence[Shown], running: bool, is_kept: bool) -> View | None:
        """Return what the page shows of it; None where there are not two answers.

        Where fewer than two columns have answered there is nothing to compare: the names are shown.

        Args:
            columns: in their order.
            running: whether one of them goes on.
            is_kept: whether the comparison is, or will be, in the history.
        """
        if len(columns) < FEWEST:
            self.is_blind = False
            return None
        answered = letters_of(columns)
        is_open = not running and len(answered) >= FEWEST
        if not running and not is_open:
            self.was_blind, self.is_blind = self.was_blind or self.is_blind, False
        return {
            "state": "waiting" if running else "open" if is_open else "closed",
            "count": len(columns),
            "letters": answered if is_open else [],
            "blind": self.is_blind,
            "was_blind": self.was_blind,
            "missing": [] if running else missing_of(columns),
            "answer": self.answer,
            "skipped": self.is_skipped,
            "kept": is_kept,
            "trouble": self.trouble,
        }

    def check(self, vote: View, answer: str) -> None:
        """Refuse what is no vote on what the page shows.

        Raises:
            ConfigurationError: there is no such answer, or that column did not answer.
        """
        if answer not in (*vote["letters"], *OTHERS):
            known = ", ".join((*vote["letters"], *OTHERS))
            raise ConfigurationError(f"A vote here is one of {known}, not {answer[:40]!r}.")

    def refuse_while_blind(self) -> None:
        """Refuse what is done to one column whose name is hidden.

        Raises:
            ConfigurationError: the names are hidden.
        """
        if self.is_blind:
            raise ConfigurationError(STILL_BLIND)

    def show_names(self) -> list[str]:
        """Show the names from now on; return which comparisons are no secret any more."""
        self.was_blind, self.is_blind = self.was_blind or self.is_blind, False
        known, self.sealed = self.sealed, []
        return known


def letters_of(columns: Sequence[Shown]) -> list[str]:
    """Return the letters of columns whose answers can be voted on."""
    return [LETTERS[place] for place, one in enumerate(columns) if _has_answered(one.view)]


def missing_of(columns: Sequence[Shown]) -> list[str]:
    """Return the letters of columns that failed, were stopped, or were left out."""
    return [LETTERS[place] for place, one in enumerate(columns) if not _has_answered(one.view)]


def _has_answered(column: View) -> bool:
    return bool(column["state"] == "done")


def covered(column: View, place: int, is_over: bool) -> View:
    """Return what is shown of a column whose name is hidden: a letter, and what it answered.

    Why one has no answer may name its model, so it is told with the names.

    Args:
        column: what it would show.
        place: its number, counted from 0.
        is_over: whether every column has ended; before that no answer is told.
    """
    has_answer = is_over and _has_answered(column)
    return {
        "name": LETTERS[place],
        "kind": "",
        "state": ("done" if has_answer else "failed") if is_over else "waiting",
        "position": 0,
        "share": None,
        "prompt_tokens": 0,
        "error": "",
        "notice": "",
        "fallbacks": [],
        "numbers": [],
        "cut": False,
        "turns": column["turns"],
        "question": column["question"],
        "text": column["text"] if has_answer else "",
        "thought": "",
        "thinking": None,
        "details": [],
        "attempt": column["attempt"],
        "blind": True,
        "missing": is_over and not has_answer,
    }
