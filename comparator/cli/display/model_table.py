"""The list of models as plain text; without rich, which costs more than the listing itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from comparator.cli.display.columns import aligned
from comparator.core.models import ModelInfo
from comparator.core.text import with_controls_shown, without_surrogates
from comparator.core.units import count, fine_size
from comparator.library.facts.lookup import facts_of
from comparator.library.labels import quantisation_line
from comparator.library.sources import title_of

_HEAD = ("id", "engine", "quant", "maker", "size", "parameters", "context", "source", "name")
_RIGHT = {"size", "parameters", "context"}
_UNKNOWN = "–"


def model_record(model: ModelInfo) -> dict[str, Any]:
    """Return what ``comparator models --json`` says of a model: every fact, units in the README."""
    return {
        **model.to_record(),
        **asdict(facts_of(model)),
        "source": model.source,
        "places": [asdict(place) for place in model.places],
        "problem": model.problem,
    }


def models_as_text(models: Sequence[ModelInfo]) -> str:
    """Return the models that can be run as a table, and below it those that cannot, with why.

    A file whose weights are not what its name says has a line of its own as well.
    """
    rows = [_row(model) for model in models if model.problem is None]
    lines = _table(_without_empty([_HEAD, *rows])) if rows else []
    lines += [
        f"doubtful: {shown(model.name)}: {shown(warning)}"
        for model in models
        if model.problem is None and (warning := facts_of(model).quantisation_warning)
    ]
    lines += [
        f"cannot be loaded: {shown(model.path)}: {shown(model.problem)}"
        for model in models
        if model.problem is not None
    ]
    return "\n".join(lines)


def shown(text: str) -> str:
    """Return text on one line that any terminal takes."""
    return without_surrogates(with_controls_shown(text).replace("\n", "\\n").replace("\t", "\\t"))


def _row(model: ModelInfo) -> tuple[str, ...]:
    facts = facts_of(model)
    return (
        model.id,
        model.model_type.value,
        quantisation_line(facts) or _UNKNOWN,
        shown(facts.maker or _UNKNOWN),
        fine_size(model.size),
        count(facts.parameters, _UNKNOWN),
        str(facts.context_length or _UNKNOWN),
        _sources(model),
        shown(model.name),
    )


def _sources(model: ModelInfo) -> str:
    keys = dict.fromkeys(place.source for place in model.places)
    return ", ".join(title_of(key) for key in keys)


def _without_empty(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Leave out the column of makers where none is known."""
    place = _HEAD.index("maker")
    if any(row[place] != _UNKNOWN for row in rows[1:]):
        return list(rows)
    return [(*row[:place], *row[place + 1 :]) for row in rows]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    right = [number for number, head in enumerate(rows[0]) if head in _RIGHT]
    return list(aligned(rows, right))
