"""What can be asked a question: by its facts, since a name does not tell."""

from __future__ import annotations

from comparator.library.model_facts import ModelFacts
from comparator.library.purposes import why_not_offered


def reason_not_offered(facts: ModelFacts) -> str | None:
    """Return why a model cannot be asked anything, or None where it can, or nobody knows."""
    return why_not_offered(facts.purpose)
