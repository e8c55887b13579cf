"""README's few rows of speed; all the rest of a run stands in docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .company import BARE_LOOP, BY_HAND, PAGE, SPAWNED
from .record import MEASURES
from .tables import NOT_YET, Result, between_markers, table


class Row(NamedTuple):
    """A row: what it is in a reader's words, and which figures of a run it holds.

    Attributes:
        words: the row's name; its unit is added.
        scenario: the part of the suite that measures it.
        measure: a key of MEASURES.
        model: the label of a model, empty for a measure without one.
    """

    words: str
    scenario: str
    measure: str
    model: str = ""


ROWS = (
    Row("four models one after another", "comparison", "wall"),
    Row("first token, transformers model", "comparison", "first_token", "PyTorch"),
    Row("writing, transformers model", "comparison", "decode", "PyTorch"),
    Row("writing, GGUF Q8_0", "decode", "decode", "GGUF Q8_0"),
    Row("memory held afterwards", "memory", "held_parent_in_all"),
)
CONTENDERS = {
    PAGE: "this comparator, its page",
    BY_HAND: "by hand, one process",
    SPAWNED: "by hand, a new process each",
    BARE_LOOP: "bare llama.cpp loop",
}


def section(result: Result | None) -> str:
    """Return what stands between README's markers, the markers included.

    A row says a median of each contender; what was not measured stays empty.
    """
    if result is None:
        return between_markers([NOT_YET])
    medians = {
        (one["scenario"], one["measure"], one["model"], one["contender"]): one["median"]
        for one in result["series"]
    }
    rows = [_cells(row, medians) for row in ROWS]
    return between_markers([table(("", *CONTENDERS.values()), rows, 1), _where(result)])


def _cells(row: Row, medians: Mapping[tuple[str, str, str, str], float]) -> list[str]:
    _title, unit, decimals = MEASURES[row.measure]
    figures = [
        medians.get((row.scenario, row.measure, row.model, contender)) for contender in CONTENDERS
    ]
    told = ["" if figure is None else f"{figure:.{decimals}f}" for figure in figures]
    return [f"{row.words}, {unit}", *told]


def _where(result: Result) -> str:
    machine, tokens = result["machine"], result["settings"]["tokens"]
    on_device = any(one["measure"] == "peak_device" for one in result["series"])
    return (
        f"Medians of a run on {result['began'][:10]}: {machine['cores']} cores of "
        f"{machine['processor']}{'' if on_device else ', no GPU'}, the starter models (135 million "
        f"parameters), {tokens} tokens each."
    )
