"""What every form of export is made of: a kept comparison, read once."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from comparator.comparison.fairness import fair_play, fair_play_words
from comparator.comparison.kept import KeptComparison
from comparator.comparison.repeats import repeats_between, repeats_in, words
from comparator.core.models import InferenceResult
from comparator.core.text import plain


@dataclass(frozen=True)
class Sheet:
    """One comparison as it is written down.

    Attributes:
        kept: the comparison.
        results: its columns.
        badges: whether what was asked twice alike was answered alike, a line each.
        fairness: in a sentence whether the comparison was fair; empty for a single column.
        differences: what differed between the columns.
        changes: which settings were not taken as they were asked, a sentence each.
    """

    kept: KeptComparison
    results: Sequence[InferenceResult]
    badges: Sequence[str]
    fairness: str
    differences: Sequence[fair_play_words.DifferenceRow]
    changes: Sequence[str]

    @classmethod
    def of(cls, kept: KeptComparison, earlier: Sequence[KeptComparison] = ()) -> Sheet:
        """Read a comparison; ``earlier`` ones are those that it may repeat, such as its parent."""
        results = [InferenceResult.from_record(one) for one in kept.records]
        found = fair_play.of(kept.records)
        several = len(results) > 1
        return cls(
            kept,
            results,
            badges(kept, earlier),
            fair_play_words.verdict(found) if several else "",
            fair_play_words.rows(found) if several else (),
            list(fair_play_words.changes(found)),
        )

    @property
    def records(self) -> list[dict[str, Any]]:
        """The columns' records, in text that UTF-8 can carry."""
        return [plain(record) for record in self.kept.records]

    @property
    def moment(self) -> str:
        """When it was asked, as ISO 8601 in UTC, to the second."""
        moment = datetime.datetime.fromtimestamp(self.kept.created, datetime.UTC)
        return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")

    @property
    def messages(self) -> list[dict[str, str]]:
        """What all columns were asked; empty where their conversations differ."""
        asked = [result.prompt.messages for result in self.results]
        return asked[0] if asked and all(one == asked[0] for one in asked) else []


def badges(kept: KeptComparison, earlier: Sequence[KeptComparison] = ()) -> list[str]:
    """Return what is to be said of what was asked twice alike, a line each."""
    here = [words(repeat) for repeat in repeats_in(kept)]
    before = [
        words(repeat, earlier=other.id)
        for other in earlier
        for repeat in repeats_between(kept, other)
    ]
    return [*here, *before]
