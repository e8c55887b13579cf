"""What came of a suite as a whole: figures with intervals, pairs, and what to keep for what."""

from __future__ import annotations

from typing import Any

from comparator.core.text import with_controls_shown
from comparator.evaluation import statistics
from comparator.evaluation.disturbed_cells import disturbed_sentence
from comparator.evaluation.pareto import pareto_of
from comparator.evaluation.report.pareto_chart import pareto_svg
from comparator.hosting.errors import sentence_of
from comparator.storage.kept_suite import KeptSuite
from comparator.ui.evaluate.views import View, numbered

_PAIR = ("a", "b", "sentence", "adjusted_p_value", "flips")


def result_of(kept: KeptSuite) -> View:
    """Return a suite's summary, its pairs and its chart. Computes: not for the loop."""
    if not any(cell.state == "done" for cell in kept.cells):
        return numbered(id=kept.id, summary=[], pairs=[], trouble="")
    try:
        return numbered(id=kept.id, trouble="", **_figures(kept))
    except Exception as error:  # the answers are there all the same
        return numbered(id=kept.id, summary=[], pairs=[], trouble=sentence_of(error))


def _figures(kept: KeptSuite) -> View:
    found = pareto_of(kept)
    pairs = statistics.pairs_of(kept)
    return {
        "summary": statistics.summary_of(kept),
        "pairs": [
            {name: pair[name] for name in _PAIR}
            | {"sentence": with_controls_shown(pair["sentence"])}
            for pair in pairs
        ],
        "judge": _judge(kept.judge),
        "chart": pareto_svg(found, [slot.label for slot in kept.slots]),
        "sentences": [
            *filter(None, [disturbed_sentence(kept.cells)]),
            *map(with_controls_shown, found.sentences),
        ],
    }


def _judge(judge: dict[str, Any] | None) -> View | None:
    if not judge or judge.get("consistency") is None:
        return None
    name = str((judge.get("model") or {}).get("name") or "")
    shares = (judge["consistency"], judge.get("sided_consistency"))  # refused by either
    refused = bool(judge.get("is_refused"))
    return {
        "name": with_controls_shown(name),
        "consistency": min(one for one in shares if one is not None) if refused else shares[0],
        "is_refused": refused,
    }
