"""What can be known of a model without loading it: the entry to facts, through their cache."""

from __future__ import annotations

from functools import lru_cache

from comparator.core.models import ModelInfo
from comparator.formats.json_files import LONGEST_CONFIG_BYTES, read_config, read_json
from comparator.library.facts.store import FactsStore
from comparator.library.facts.values import ModelFacts

__all__ = [
    "LONGEST_CONFIG_BYTES", "FactsStore", "ModelFacts", "facts_of", "read_config", "read_json",
    "store",
]  # fmt: skip


def facts_of(model: ModelInfo) -> ModelFacts:
    """Return the facts of a model; empty ones where its files cannot be read."""
    return store().facts_of(model)


@lru_cache(maxsize=1)
def store() -> FactsStore:
    """Return the store in the user's cache folder, one for the whole program."""
    return FactsStore()
