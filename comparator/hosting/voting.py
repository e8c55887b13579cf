"""Votes on what was asked through a page: whose they are, what is hidden until then, what they say.

A vote belongs to whom the comparison belongs: on one's own page to its user, on a public page to
one browser, which never sees another's. A blind comparison is sealed: until its vote, or until its
names are shown without one, nothing of this server tells who answered what. The seal is held in
memory; it hides names from a voter, who may always look elsewhere, and is no secret of a file.
"""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from comparator.comparison.request import Slot
from comparator.core.exceptions import ConfigurationError
from comparator.core.limits import MOST_MODELS
from comparator.evaluation.configuration import configuration_of
from comparator.evaluation.votes import vote_on
from comparator.hosting.positions import balanced_order
from comparator.library.lookup import AdapterLookUp
from comparator.storage.digests import Digests
from comparator.storage.history import Entry, History
from comparator.storage.kept_comparison import KeptComparison
from comparator.storage.votes import BOTH_BAD, LETTERS, TIE, Tally, Vote, Votes

if TYPE_CHECKING:
    from comparator.hosting.requests import RequestDraft

OTHERS = (TIE, BOTH_BAD)  # besides a letter
MOST_SEALED = 4096
MOST_BALANCED = 20_000  # votes; beyond them, such as of a log that was read, chance is even
SEALED = (
    "This comparison is blind, and its names are hidden until it is voted on. Vote on it on the "
    "Compare tab (the History tab opens it), or show its names there without a vote."
)
TOO_FEW = (
    "Blind answers need two to four models, so that there is something to tell apart. Choose "
    "another model, or switch “Blind” off."
)
NOT_KEPT = (
    "The history is off, so the vote was not kept either: a vote says who answered what. Start "
    "the page without --no-history to collect votes."
)
ALIKE = (
    "These are one model with one set of settings, so a blind vote would tell nothing. Choose "
    "another model, give one of them other settings, or switch “Blind” off."
)


class Voting:
    """The votes of a page, and the comparisons that are sealed.

    Args:
        history: where comparisons are kept; where it is off, votes are not kept.
        votes: where votes are kept; None takes the file in the user's data folder.
        digests: tells models' files apart; None takes those in the user's cache folder.
        draw: where the order of blind answers comes from.
        adapter: the path of an adapter by its name in the library; None takes paths alone.
    """

    def __init__(
        self,
        history: History,
        votes: Votes | None = None,
        digests: Digests | None = None,
        draw: random.Random | None = None,
        adapter: AdapterLookUp | None = None,
    ) -> None:
        self._history = history
        self._votes = votes or Votes()
        self._digests = digests or Digests()
        self._adapter = adapter
        self._draw = draw or random.SystemRandom()
        self._sealed: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    # ---- what is hidden ----

    def seal(self, names: Iterable[str | None]) -> None:
        """Hide the names of comparisons, by their ids, until ``unseal``."""
        with self._lock:
            for name in filter(None, names):
                self._sealed[name] = None
                self._sealed.move_to_end(name)
            while len(self._sealed) > MOST_SEALED:
                self._sealed.popitem(last=False)

    def unseal(self, names: Iterable[str]) -> None:
        """Hide the names of comparisons no longer."""
        with self._lock:
            for name in names:
                self._sealed.pop(name, None)

    def is_sealed(self, name: str) -> bool:
        """Whether the names of a comparison are hidden."""
        with self._lock:
            return name in self._sealed

    def opened(self, kept: KeptComparison) -> KeptComparison:
        """Return a comparison whose names are not hidden.

        Raises:
            ConfigurationError: they are.
        """
        if self.is_sealed(kept.id):
            raise ConfigurationError(SEALED)
        return kept

    def listed(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return what a list may tell: letters in the place of names that are hidden."""
        return [
            replace(entry, models=tuple(LETTERS[: len(entry.models)]))
            if self.is_sealed(entry.id)
            else entry
            for entry in entries
        ]

    # ---- the order ----

    def ordered(self, draft: RequestDraft, slots: Sequence[Slot], owner: str) -> RequestDraft:
        """Return a draft whose slots stand in the order in which blind answers are shown.

        Only what is known of models' files is used: none is read before it is asked.

        Args:
            draft: what is asked.
            slots: its slots as the engine has them.
            owner: whose votes are balanced.

        Raises:
            ConfigurationError: there are not enough models, or all are alike.
        """
        if not 2 <= len(slots) <= MOST_MODELS:
            raise ConfigurationError(TOO_FEW)
        names = [
            configuration_of(
                slot.model.to_record(),
                asdict(slot.config),
                self._digests.known,
                adapters=slot.adapters,
            )
            for slot in slots
        ]
        if len(set(names)) < 2:
            raise ConfigurationError(ALIKE)
        votes = [] if self._votes.count(owner) > MOST_BALANCED else self.votes(owner)
        shown = [left_to_right(vote) for vote in votes]
        order = balanced_order(names, shown, self._draw)
        return replace(draft, slots=[draft.slots[place] for place in order])

    # ---- votes ----

    def votes(self, owner: str) -> list[Vote]:
        """Return an owner's votes."""
        return self._votes.all(owner)

    def tallies(self, owner: str, only_blind: bool = False) -> list[Tally]:
        """Return an owner's votes counted, equal ones together; all of them, or blind ones."""
        return self._votes.tallies(owner, only_blind)

    def count(self, owner: str, only_blind: bool = False) -> int:
        """Return how many votes an owner has; all of them, or blind ones."""
        return self._votes.count(owner, only_blind)

    def vote_of(self, comparison: str, owner: str) -> Vote | None:
        """Return what an owner said of a comparison, if it is there."""
        return self._votes.of(comparison, owner)

    def cast(self, kept: KeptComparison, answer: str, owner: str, is_blind: bool) -> Vote:
        """Keep a vote in the place of an earlier one on the same comparison.

        May read models' files: not for the loop.

        Args:
            kept: the comparison; its columns stood from left to right as its records do.
            answer: a letter, ``tie`` or ``both_bad``.
            owner: whose it is.
            is_blind: whether the names were hidden.

        Raises:
            ConfigurationError: there is no such answer, that column did not answer, or the vote
                cannot be kept.
        """
        if not self._history.is_on:
            raise ConfigurationError(NOT_KEPT)
        shown = range(len(kept.records))
        vote = vote_on(kept, answer, self._digests.of, shown, is_blind, owner, self._adapter)
        if not self._votes.add(vote):
            raise ConfigurationError(f"The vote was not kept. {self._votes.trouble}".rstrip())
        self.unseal([kept.id])
        return vote

    def take_in(self, votes: Iterable[Vote]) -> int:
        """Keep votes from elsewhere; return how many are new.

        Raises:
            ConfigurationError: they cannot be kept.
        """
        if not self._history.is_on:
            raise ConfigurationError(NOT_KEPT)
        added = self._votes.add_many(list(votes))
        if added is None:
            raise ConfigurationError(f"The votes were not kept. {self._votes.trouble}".rstrip())
        return added

    def take_back(self, comparison: str, owner: str) -> bool:
        """Delete an owner's vote on a comparison; return whether there was one."""
        found = self.vote_of(comparison, owner)
        return found is not None and self._votes.remove(found.id, owner)

    def close(self) -> None:
        """Close the files."""
        self._votes.close()
        self._digests.close()


def left_to_right(vote: Vote) -> list[str]:
    """Return a vote's configurations in the order in which their answers stood."""
    pairs: list[Any] = sorted(zip(vote.positions, vote.configurations, strict=False))
    return [configuration for _, configuration in pairs]


def letter_of(vote: Vote) -> str:
    """Return what a vote said by the letters that the page shows; empty where nobody knows it.

    A vote knows the columns that answered alone, and where they stood.
    """
    if vote.winner in OTHERS:
        return vote.winner
    place = LETTERS.index(vote.winner)
    return LETTERS[vote.positions[place]] if place < len(vote.positions) else ""
