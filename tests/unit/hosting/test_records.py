"""What visitors are told of records."""

from __future__ import annotations

import json
from pathlib import Path

from comparator.hosting.records import of_kept
from comparator.ui.compare import render
from tests.support.kept_comparisons import kept_of, result

PLACE = "/home/somebody/models"


def test_no_part_of_a_record_tells_where_things_lie() -> None:
    one = result(
        path=f"{PLACE}/below/first.gguf",
        error=f"{PLACE}/below/first.gguf is gone.",
        notice=f"The file {PLACE}/other.gguf has changed.",
        log_tail=f"loaded from {PLACE}/below/first.gguf by /home/somebody/lib/engine.so",
    )
    (record,) = of_kept(kept_of(one), Path(PLACE))["records"]
    assert "somebody" not in json.dumps(record)
    assert record["error"] == "first.gguf is gone."
    assert record["log_tail"] == "loaded from first.gguf by engine.so"
    assert dict(render.details(one))["log"] == "loaded from first.gguf by engine.so"
