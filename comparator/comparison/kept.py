"""From a comparison's request and results to what is kept of it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from comparator.comparison.request import Request
from comparator.core.models import InferenceResult
from comparator.storage.kept_comparison import KeptComparison as KeptComparison
from comparator.storage.kept_comparison import Record as Record
from comparator.storage.names import new_id as new_id


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
        parent: as ``KeptComparison.parent``; None takes the request's.
    """
    name = name or new_id()
    began = [result.stats.start_time for result in results if result.stats.start_time]
    return KeptComparison(
        id=name,
        created=min(began, default=time.time()),
        owner=owner,
        parent=parent or request.parent,
        together=request.wants_together,
        files=request.files.value,
        date=request.date,
        records=[{**result.to_record(), "comparison": name} for result in results],
    )


def in_columns_of(
    earlier: KeptComparison, again: KeptComparison, columns: Sequence[int]
) -> KeptComparison:
    """Return columns that were asked once more, with the others of the earlier comparison.

    Args:
        earlier: what had all the columns.
        again: what was asked once more.
        columns: which of the earlier columns its own are, in their order.
    """
    anew = dict(zip(columns, again.records, strict=True))
    records = [anew.get(number, record) for number, record in enumerate(earlier.records)]
    named = [{**record, "comparison": again.id} for record in records]
    return msgspec.structs.replace(again, records=named, together=earlier.together)
