"""What a model is, in a few words that stand beside its name."""

from __future__ import annotations

from comparator.core import units
from comparator.core.models import ModelInfo
from comparator.library.facts.lookup import facts_of

ENGINE_NAMES = {"gguf": "GGUF", "pytorch": "PyTorch", "echo": "Echo", "custom": "Custom"}


def kind_line(model: ModelInfo) -> str:
    """Return engine, quantisation and size of a model: ``GGUF · Q4_1 · 98 MB``.

    Looks into the store of facts, and the first time into the model's files.
    """
    engine = ENGINE_NAMES.get(model.model_type.value, model.model_type.value)
    parts = (engine, facts_of(model).quantisation, units.size(model.size))
    return " · ".join(part for part in parts if part)
