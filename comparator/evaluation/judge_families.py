"""Whether a judge is a relative of what it judges: models favour what they would have written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from comparator.core.models import ModelInfo
from comparator.library.facts.lookup import facts_of
from comparator.library.facts.values import ModelFacts
from comparator.library.families import families
from comparator.library.names import key_of, plain_name

FactsOf = Callable[[ModelInfo], ModelFacts]
_NAME = re.compile(r"[a-z]+")
_LONGEST_GENERIC = 2  # letters: what is shorter is no family's name


def relatives(
    judge: ModelInfo, models: Sequence[Mapping[str, Any]], facts: FactsOf = facts_of
) -> list[int]:
    """Return which of the models (``model`` of their records) are of the judge's family."""
    found = (ModelInfo.from_record(model) for model in models)
    return [number for number, model in enumerate(found) if are_relatives(judge, model, facts)]


def are_relatives(one: ModelInfo, other: ModelInfo, facts: FactsOf = facts_of) -> bool:
    """Whether two models are the same weights, or of one maker's line such as Qwen or Llama.

    The line is told by the first word of the name, without its number: what is trained by the same
    people on much the same texts writes alike in every size. A model made from another one tells
    so in its facts.
    """
    if one.path == other.path or len(families([one, other], facts)) == 1:
        return True
    return bool(_lines(one, facts(one)) & _lines(other, facts(other)))


def _lines(model: ModelInfo, facts: ModelFacts) -> set[str]:
    names = (model.name, facts.family, facts.base_model)
    words = (_NAME.search(plain_name(name).casefold()) for name in names if name)
    found = {word[0] for word in words if word and len(word[0]) > _LONGEST_GENERIC}
    return {word for word in found if key_of(word)}  # not "model" or "weights"
