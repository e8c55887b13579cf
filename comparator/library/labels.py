"""What a model is, in a few words that stand beside its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from comparator.core import units
from comparator.core.models import ModelInfo
from comparator.formats.quantisation_names import prefix_of
from comparator.library.facts.lookup import ModelFacts, facts_of

ENGINE_NAMES = {"gguf": "GGUF", "pytorch": "PyTorch", "echo": "Echo", "custom": "Custom"}


def kind_line(model: ModelInfo) -> str:
    """Return engine, quantisation and size of a model: ``GGUF · Q4_K_M by bartowski · 98 MB``.

    Looks into the store of facts, and the first time into the model's files.
    """
    engine = ENGINE_NAMES.get(model.model_type.value, model.model_type.value)
    facts = facts_of(model)
    quantisation = facts.quantisation or ""
    if quantisation and facts.maker and not prefix_of(quantisation):  # UD is Unsloth's own sign
        quantisation += f" by {facts.maker}"
    if facts.quantisation_warning:  # without the other's name: who types that means another file
        quantisation += " (doubtful)"
    return " · ".join(part for part in (engine, quantisation, units.size(model.size)) if part)


def quantisation_line(facts: ModelFacts) -> str:
    """Return a quantisation's name, with what it really is where the name says another.

    ``Q4_K_M``; of a file whose name lies ``Q4_K_M, really Q8_0``; empty where nothing is known.
    """
    if not facts.quantisation or not facts.quantisation_warning:
        return facts.quantisation or ""
    really = main_type(facts.tensor_types or {})
    return f"{facts.quantisation}, really {really}" if really else facts.quantisation


def main_type(types: Mapping[str, float]) -> str | None:
    """Return the type that most weights have."""
    return max(types, key=types.__getitem__) if types else None


def ranked(models: Sequence[ModelInfo], words: str) -> list[ModelInfo]:
    """Return the models that words mean: every word is in a name, a quantisation or a maker.

    What is quantised exactly so comes first: ``Q8_0`` finds Q8_0 before a model of that name.
    """
    wanted = words.casefold().split()
    found = []
    for model in models:
        facts = facts_of(model)
        label = (facts.quantisation or "").casefold()
        recipe = label.partition("-")[2]  # UD-Q4_K_XL is also found by Q4_K_XL
        text = " ".join((model.name, label, facts.maker or "", model.model_type.value)).casefold()
        if all(word in text for word in wanted):
            exact = label in wanted or (bool(recipe) and recipe in wanted)
            found.append((not exact, model))
    found.sort(key=lambda pair: pair[0])  # stable: else as they were
    return [model for _rank, model in found]
