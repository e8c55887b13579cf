"""A comparison as it is kept: plain values, which the history stores and all exports read."""

from __future__ import annotations

from typing import Any

import msgspec

Record = dict[str, Any]


class KeptComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison as the history has it, and as all that is taken away is made of.

    What a column was asked stands in its record: ``prompt.messages`` (its own history of turns
    included), ``config`` with the seed that was used, and ``model``.

    Attributes:
        id: names it; hexadecimal digits.
        created: when it was asked, seconds since the epoch.
        owner: the browser session that it belongs to on a public page; empty for one's own.
        parent: the comparison whose further turn, continued or regenerated answer it is, or None.
        is_pinned: whether it is kept whatever the retention.
        together: whether all models were to run at once.
        files: how the models' files were to be: empty, ``cold`` or ``warm``.
        date: what chat templates were told of the time where that was given, as ISO 8601.
        records: the columns' records (DESIGN's contract), paths of this machine included.
    """

    id: str
    created: float
    owner: str = ""
    parent: str | None = None
    is_pinned: bool = False
    together: bool = False
    files: str = ""
    date: str | None = None
    records: list[Record] = []

    @property
    def question(self) -> str:
        """What the user said last, in the first column."""
        messages = self.records[0]["prompt"]["messages"] if self.records else []
        asked = [one["content"] for one in messages if one["role"] == "user"]
        return str(asked[-1]) if asked else ""
