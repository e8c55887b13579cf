"""A comparison as it is kept: what was asked of whom, and each column's whole record."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from comparator.comparison.request import Request
from comparator.core.models import InferenceResult

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


def new_id() -> str:
    """Return an id for a comparison that is to be kept."""
    return uuid.uuid4().hex[:12]


def kept(
    request: Request,
    results: Sequence[InferenceResult],
    name: str | None = None,
    owner: str = "",
    parent: str | None = None,
) -> KeptComparison:
    """Return a comparison as it is kept.

    Args:
        request: what was asked.
        results: how each column ended, or stands.
        name: its id; None makes one.
        owner: as ``KeptComparison.owner``.
        parent: as ``KeptComparison.parent``.
    """
    name = name or new_id()
    began = [result.stats.start_time for result in results if result.stats.start_time]
    return KeptComparison(
        id=name,
        created=min(began, default=time.time()),
        owner=owner,
        parent=parent,
        together=request.wants_together,
        files=request.files.value,
        date=request.date,
        records=[{**result.to_record(), "comparison": name} for result in results],
    )
