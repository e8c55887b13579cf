"""What looking at an answer has found: a fact in a sentence, whichever way the assertion goes."""

from __future__ import annotations

from dataclasses import dataclass

from comparator.core.text import with_controls_shown, without_surrogates

LONGEST_QUOTE = 80


@dataclass(frozen=True)
class AnswerFinding:
    """What is so of an answer.

    Attributes:
        holds: whether the answer is what the type says, before any ``not-``. None where looking
            failed: then the assertion has not passed, with ``not-`` or without.
        why: the fact, in a sentence.
        score: 0 to 1 where one is measured.
        is_undecided: looking was not possible here, which says nothing of the answer.
    """

    holds: bool | None
    why: str
    score: float | None = None
    is_undecided: bool = False

    def passed(self, is_inverse: bool) -> bool | None:
        """Return whether an assertion passes by it; None where that cannot be told."""
        if self.is_undecided:
            return None
        return False if self.holds is None else self.holds != is_inverse


def quoted(text: str, most: int = LONGEST_QUOTE) -> str:
    """Return a text in quotation marks for a sentence, on one line and not too long."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    shown = with_controls_shown(without_surrogates(cut)).replace("\n", "\\n").replace("\t", "\\t")
    return f"“{shown}”"
