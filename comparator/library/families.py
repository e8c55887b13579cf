"""Families: the same weights in several quantisations, so that they can be compared.

Two models are of one family if their metadata give them the same name, or if their own names are
the same without the quantisation, and if they have the same shape (layers and width). A chat
model and the base model it was made from are two families: their weights differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from comparator.core.models import ModelInfo
from comparator.library.facts.lookup import facts_of
from comparator.library.facts.values import ModelFacts
from comparator.library.names import key_of, plain_name

FactsOf = Callable[[ModelInfo], ModelFacts]


@dataclass(frozen=True)
class Family:
    """A name, and the models that are these weights, the most bits per weight first."""

    name: str
    members: tuple[ModelInfo, ...]


def families(models: Iterable[ModelInfo], facts: FactsOf = facts_of) -> list[Family]:
    """Group models by their weights; a model without relatives is a family of one.

    Args:
        models: any; those that cannot be loaded are left out.
        facts: gives the facts of a model, for callers that have them.
    """
    groups: list[list[ModelInfo]] = []
    places: dict[tuple[object, ...], int] = {}
    for model in models:
        if model.problem is None:
            _place(model, _keys(model, facts(model)), groups, places)
    found = [_family(group, facts) for group in groups if group]
    return sorted(found, key=lambda family: family.name.casefold())


def ladder(family: Family, count: int = 3, facts: FactsOf = facts_of) -> tuple[ModelInfo, ...]:
    """Return members spread from the most to the fewest bits per weight, each file once.

    Args:
        family: the family.
        count: at most so many, from 1.
        facts: gives the facts of a model.
    """
    rungs = _rungs(family.members, facts)
    if count < 2 or len(rungs) <= count:
        return tuple(rungs[: max(count, 1)])
    step = (len(rungs) - 1) / (count - 1)
    return tuple(rungs[round(number * step)] for number in range(count))


def _rungs(members: Sequence[ModelInfo], facts: FactsOf) -> list[ModelInfo]:
    """Leave out further copies of a file that is there already.

    Two files of one quantisation differ where their makers do, or what was measured for them. So
    only what has the same name, size and facts is taken for a copy.
    """
    found: list[ModelInfo] = []
    known: list[tuple[object, ...]] = []
    for model in members:
        key = (Path(model.path).name, model.size, facts(model))
        if key not in known:
            known.append(key)
            found.append(model)
    return found


def _keys(model: ModelInfo, facts: ModelFacts) -> list[tuple[object, ...]]:
    shape = (facts.layers, facts.embedding_length)
    names = {key_of(facts.family), key_of(model.name)} - {None}
    return [(name, *shape) for name in names] or [(model.path,)]


def _place(
    model: ModelInfo,
    keys: Sequence[tuple[object, ...]],
    groups: list[list[ModelInfo]],
    places: dict[tuple[object, ...], int],
) -> None:
    """Add a model to the group of its keys; it may join two that were apart."""
    numbers = sorted({places[key] for key in keys if key in places})
    if not numbers:
        groups.append([])
    target = numbers[0] if numbers else len(groups) - 1
    for other in numbers[1:]:
        groups[target] += groups[other]
        groups[other] = []
        places.update({key: target for key, number in places.items() if number == other})
    groups[target].append(model)
    places.update(dict.fromkeys(keys, target))


def _family(members: list[ModelInfo], facts: FactsOf) -> Family:
    def order(model: ModelInfo) -> tuple[float, int, str]:
        return -(facts(model).bits_per_weight or 0), -model.size, model.path

    name = min((plain_name(model.name) for model in members), key=lambda n: (len(n), n))
    return Family(name, tuple(sorted(members, key=order)))
