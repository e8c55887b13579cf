"""The settings that a slot is really asked with, and where each of them comes from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo
from comparator.library.facts.sampling import sampling_of

DEFAULT, GIVEN, MAKER, DRAWN = "default", "given", "maker", "drawn"
USUAL = asdict(ModelConfig())
NO_ADVICE = "Its files advise no sampling values of its maker, so the usual ones are used."


@dataclass(frozen=True)
class GivenSettings:
    """The settings that a person gave.

    Attributes:
        names: all of them.
        over_maker: those that also stand where the maker's sampling is asked for.
    """

    names: Collection[str] = ()
    over_maker: Collection[str] = ()

    @classmethod
    def by_value(cls, config: ModelConfig) -> GivenSettings:
        """Return what is taken as given where only values are known: what is not as by default."""
        values = asdict(config)
        names = frozenset(name for name, value in values.items() if value != USUAL[name])
        return cls(names, names)


@dataclass(frozen=True)
class SlotSettings:
    """Settings, where each comes from (``default``, ``given``, ``maker``, ``drawn``), and notes."""

    config: ModelConfig
    sources: dict[str, str]
    notice: str = ""


def settings_of(
    model: ModelInfo, config: ModelConfig, given: GivenSettings | None = None
) -> SlotSettings:
    """Return the settings of a slot, with the values of its maker where those are asked for.

    What a person gave stands; the maker's values take the place of the others.
    """
    given = given or GivenSettings.by_value(config)
    found = sampling_of(model) if config.sampling == "maker" else None
    advised = _without(found.values, given.over_maker) if found else {}
    settled = replace(config, **advised)
    sources = {name: _source(name, settled, given, advised) for name in USUAL}
    if found is None:
        return SlotSettings(settled, sources)
    notes = found.sentences if found.values or found.sentences else (NO_ADVICE,)
    return SlotSettings(settled, sources, " ".join(notes))


def _without(advised: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Leave out what a person gave; who gave a temperature does not want the likeliest token."""
    kept = {*names, "do_sample"} if "temperature" in names else names
    return {name: value for name, value in advised.items() if name not in kept}


def _source(name: str, config: ModelConfig, given: GivenSettings, advised: dict[str, Any]) -> str:
    if name in advised:
        return MAKER
    if name == "seed" and config.seed is None:
        return DRAWN
    value = getattr(config, name)
    is_nothing = value == USUAL[name] and not value  # a form sends its empty fields too
    return GIVEN if name in given.names and not is_nothing else DEFAULT
