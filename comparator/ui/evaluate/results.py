"""What came of a suite as a whole: figures with intervals, pairs, and what to keep for what."""

from __future__ import annotations

from typing import Any

from comparator.core.text import with_controls_shown
from comparator.evaluation.pareto import pareto_of
from comparator.evaluation.report.pareto_chart import pareto_svg
from comparator.evaluation.shown import shown
from comparator.hosting.errors import sentence_of
from comparator.storage.kept_suite import KeptSuite
from comparator.ui.evaluate.views import View, numbered


def result_of(kept: KeptSuite) -> View:
    """Return a suite's summary, its pairs and its chart. Computes: not for the loop."""
    if not any(cell.state == "done" for cell in kept.cells):
        return numbered(id=kept.id, summary=[], pairs=[], chart="", sentences=[], trouble="")
    try:
        whole = shown(kept)
        chart, sentences = _pareto(kept)
    except Exception as error:  # the answers are there all the same
        return numbered(id=kept.id, summary=[], pairs=[], trouble=sentence_of(error))
    return numbered(
        id=kept.id,
        summary=whole["summary"],
        pairs=whole["pairs"],
        judge=_judge(kept.judge),
        chart=chart,
        sentences=sentences,
        trouble="",
    )


def _pareto(kept: KeptSuite) -> tuple[str, list[str]]:
    found = pareto_of(kept)
    labels = [slot.label for slot in kept.slots]
    return pareto_svg(found, labels), list(found.sentences)


def _judge(judge: dict[str, Any] | None) -> View | None:
    if not judge:
        return None
    name = str((judge.get("model") or {}).get("name") or "")
    return {
        "name": with_controls_shown(name),
        "consistency": judge.get("consistency"),
        "is_refused": bool(judge.get("is_refused")),
    }
