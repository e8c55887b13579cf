"""Which model people mean by an id, a name or a path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from comparator.core.exceptions import ModelNotFoundError
from comparator.core.models import ModelInfo
from comparator.formats.quantisation_names import label_in
from comparator.library import discovery
from comparator.library.duplicates import place_ids
from comparator.library.facts.lookup import facts_of
from comparator.library.labels import ranked

LookUp = Callable[[str], ModelInfo]  # from what names a model to it
AdapterLookUp = Callable[[str], str]  # from what names an adapter to its path
_MOST_NAMES = 20  # that a message lists


def by_id(models: Sequence[ModelInfo], model_id: str) -> ModelInfo | None:
    """Return the model of that id, or of one of its other places; or None.

    An id may carry a number, as ``told_apart`` gives it.
    """
    plain = str(model_id).partition("#")[0]
    for model in models:
        if model.id == plain:
            return model
    return next((model for model in _in_several(models) if plain in place_ids(model)), None)


def meant(models: Sequence[ModelInfo], wanted: str) -> ModelInfo:
    """Return the model that an id, a name or a path means; a path may lie outside the models.

    A quantisation's name alone, such as ``Q8_0``, means the only model that has it.

    Raises:
        ModelNotFoundError: nothing or more than one thing answers to it.
    """
    matches = [m for m in models if wanted in (m.id, m.path)]
    matches = matches or [m for m in models if m.name == wanted]
    matches = matches or [m for m in _in_several(models) if _is_known_as(m, wanted)]
    if len(matches) == 1:
        return matches[0]
    if len(matches) > 1:
        ids = ", ".join(f"{m.id} ({m.path})" for m in matches)
        raise ModelNotFoundError(f"Several models are named {wanted!r}. Use an id: {ids}.")
    if len(called := _called(models, wanted)) == 1:
        return called[0]
    return _at(wanted, models)


def _called(models: Sequence[ModelInfo], wanted: str) -> list[ModelInfo]:
    """Return the models whose quantisation has exactly that name, such as ``Q8_0``."""
    if label_in(wanted) is None or _exists(Path(wanted)):
        return []
    label = wanted.casefold()
    return [
        m for m in models if not m.problem and (facts_of(m).quantisation or "").casefold() == label
    ]


def _at(wanted: str, models: Sequence[ModelInfo]) -> ModelInfo:
    path = Path(wanted).expanduser()
    if wanted and _exists(path):
        model = discovery.inspect(path)
        if model is not None:
            return model
        raise ModelNotFoundError(
            f"{path} is neither a GGUF file nor a transformers folder (config.json beside weights)."
        )
    found = ranked(models, wanted) if wanted.strip() else []
    listed = [*found, *(model for model in models if model not in found)]
    names = ", ".join(m.name for m in listed[:_MOST_NAMES] if not m.problem)
    known = f"There are: {names}." if names else "There are no models; see 'comparator starter'."
    raise ModelNotFoundError(f"No model {wanted!r}. {known}")


def _in_several(models: Sequence[ModelInfo]) -> list[ModelInfo]:
    return [model for model in models if len(model.places) > 1]


def _is_known_as(model: ModelInfo, wanted: str) -> bool:
    """Return whether a model has that id, path or name in one of its places."""
    names = {name for place in model.places for name in (place.path, place.name)}
    return wanted in names or wanted in place_ids(model)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
