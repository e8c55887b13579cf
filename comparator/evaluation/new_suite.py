"""A run of a suite before its first answer: everything that is asked, of whom, with which seeds."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from typing import Any

import msgspec

from comparator.comparison.card import this_machine
from comparator.comparison.request import Slot
from comparator.core.config import LARGEST_SEED, ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError
from comparator.core.text import with_controls_shown
from comparator.evaluation.batch import AUTO as AUTO
from comparator.evaluation.batch import checked
from comparator.evaluation.configuration import DigestOf, configuration_of
from comparator.library.duplicates import parts_of
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.digests import Digests
from comparator.storage.kept_suite import Item, KeptSuite, Suite, SuiteSlot
from comparator.storage.names import new_id
from comparator.storage.suite_rows import new_cells

MOST_REPEATS = 100
MOST_CELLS = 200_000


def new_suite(
    engine: InferenceEngine,
    suite: Suite,
    slots: Sequence[Slot],
    *,
    repeats: int = 1,
    batch: str | int = AUTO,
    judge: Slot | None = None,
    name: str = "",
    owner: str = "",
) -> KeptSuite:
    """Return a run of a suite that can begin; nothing is started and nothing kept.

    Reads the files of the models where their digests are not known: not for an event loop.

    Args:
        engine: what is to run it.
        suite: what is asked.
        slots: of whom, with their settings; their ids differ (``told_apart``).
        repeats: how often each prompt is asked of each slot, each time with another seed.
        batch: answers decoded at once: ``auto`` or a number; 1 is exact.
        judge: who judges the answers at the end; None for nobody.
        name: of the run, for people; the suite's own where it is empty.
        owner: as ``KeptSuite.owner``.

    Raises:
        ConfigurationError: what is wrong and what would be right.
    """
    batch = checked(batch) or AUTO
    _check(suite, slots, repeats)
    for number, item in enumerate(suite.items, start=1):
        conversation_of(item, number)
    with digests() as digest_of:
        kept_slots = [_kept_slot(slot, batch, digest_of) for slot in slots]
    told = msgspec.to_builtins(this_machine())
    return KeptSuite(
        id=new_id(),
        name=name or suite.name,
        created=time.time(),
        owner=owner,
        suite=suite,
        slots=labelled(kept_slots, [slot.label for slot in slots]),
        repeats=repeats,
        batch=batch,
        judge=_judge_record(judge),
        machine=told,
        cells=new_cells(len(slots), len(suite.items), repeats),
    )


def conversation_of(item: Item, number: int) -> Conversation:
    """Return what a prompt asks.

    Raises:
        ConfigurationError: it is no conversation; which prompt, and why.
    """
    try:
        return Conversation.of(item.messages)
    except ConfigurationError as error:
        shown = with_controls_shown(item.id)[:60]
        raise ConfigurationError(f"Prompt {number} ({shown!r}): {error}") from error


def seed_of(first: int, repeat: int) -> int:
    """Return the seed of a repeat, which follows from that of the first one."""
    if repeat == 0:
        return first
    digest = hashlib.sha256(f"{first}:{repeat}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % (LARGEST_SEED + 1)


def unread_bytes(slots: Sequence[Slot]) -> int:
    """Return how many bytes of models will be read, to know these by their content."""
    with closing(Digests()) as known:
        files = {
            file
            for slot in slots
            if os.path.exists(slot.model.path)
            for _name, file in parts_of(slot.model)
            if known.known(file) is None
        }
    return sum(os.path.getsize(file) for file in files)


@contextmanager
def digests() -> Iterator[DigestOf]:
    """Give the SHA-256 of files, known or read."""
    with closing(Digests()) as known:
        yield known.of


def labelled(slots: Sequence[SuiteSlot], kinds: Sequence[str]) -> list[SuiteSlot]:
    """Return slots with labels that differ: names, with engine and quantisation where names do not.

    What is still alike is numbered.
    """
    names = [str(slot.model.get("name") or slot.model["id"]) for slot in slots]
    told = [
        f"{name} ({kind})" if names.count(name) > 1 and kind else name
        for name, kind in zip(names, kinds, strict=True)
    ]
    labels: list[str] = []
    for label in told:
        number, unique = 1, label
        while unique in labels:
            number += 1
            unique = f"{label} #{number}"
        labels.append(unique)
    return [msgspec.structs.replace(s, label=la) for s, la in zip(slots, labels, strict=True)]


def _check(suite: Suite, slots: Sequence[Slot], repeats: int) -> None:
    if not slots:
        raise ConfigurationError("Choose at least one model.")
    if not suite.items:
        raise ConfigurationError("The suite has no prompts.")
    if isinstance(repeats, bool) or not 1 <= repeats <= MOST_REPEATS:
        raise ConfigurationError(f"Repeats must be between 1 and {MOST_REPEATS}, not {repeats!r}.")
    cells = len(suite.items) * len(slots) * repeats
    if cells > MOST_CELLS:
        raise ConfigurationError(
            f"{len(suite.items)} prompts × {len(slots)} models × {repeats} repeats are {cells} "
            f"answers; a suite takes up to {MOST_CELLS}."
        )


def _kept_slot(slot: Slot, batch: str | int, digest_of: DigestOf) -> SuiteSlot:
    model, config = slot.model.to_record(), asdict(slot.config.with_seed())
    named = configuration_of(model, config, digest_of, batch, slot.adapters)
    return SuiteSlot(model, config, named, sources=dict(slot.sources), notice=slot.notice)


def _judge_record(judge: Slot | None) -> dict[str, Any] | None:
    """Return who is to judge, as it is kept until the judge itself says more."""
    if judge is None:
        return None
    config = replace(judge.config, seed=None)
    told = {"model": judge.model.to_record(), "config": asdict(config), "label": judge.label}
    return {**told, "is_complete": False}


def config_of(slot: SuiteSlot) -> ModelConfig:
    """Return the settings of a kept slot.

    Raises:
        ConfigurationError: a setting is wrong, or none that this version knows.
    """
    return ModelConfig.from_dict(slot.config)
