"""Asking once more what a reproduction card says, and holding the answers against the card's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from comparator.comparison.card import (
    Card,
    CardAdapter,
    CardFile,
    CardModel,
    CardSlot,
    build_here,
    files_of,
    is_known,
    this_machine,
)
from comparator.comparison.partings import Parting, parting
from comparator.comparison.slot_settings import GivenSettings
from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.core.lora import Adapter
from comparator.core.models import InferenceResult, ModelInfo, ModelType
from comparator.core.setting_fields import FOREIGN_CODE
from comparator.core.text import name_shown, with_controls_shown
from comparator.core.units import fine_size
from comparator.library import discovery
from comparator.library.adapters import LibraryAdapter
from comparator.storage.digests import Digests

STOPPED = "cancelled"  # the finish_reason of an answer that a person has stopped
_ALL = frozenset(ModelConfig.__dataclass_fields__)
AS_ON_THE_CARD = GivenSettings(_ALL, _ALL)  # no value is to be taken from anywhere else


class ColumnEnd(Enum):
    """How one column of a replay ended."""

    IDENTICAL = "identical"
    PARTED = "parted"
    NOT_RUN = "could not run"


@dataclass(frozen=True)
class Planned:
    """One column of a card as it can be asked here.

    Attributes:
        slot: the card's.
        model: what it is asked of; None where it cannot be.
        adapters: as settings name them.
        problem: why it cannot be asked, and what to do; empty where it can.
    """

    slot: CardSlot
    model: ModelInfo | None = None
    adapters: tuple[str, ...] = ()
    problem: str = ""


@dataclass
class TextLengths:
    """How long the texts of a column were after each of its tokens: thought and answer."""

    lengths: list[tuple[int, int, int]] = field(default_factory=list)
    _answer: str = ""

    def note(self, result: InferenceResult) -> None:
        """Take in a snapshot."""
        thought = len(result.thinking.text) if result.thinking else 0
        if len(result.content) < len(self._answer):
            self._call_thought()
        self._answer = result.content
        entry = (result.stats.token_count, thought, len(result.content))
        if not self.lengths or self.lengths[-1] != entry:
            self.lengths.append(entry)

    def _call_thought(self) -> None:
        """Count as thought what looked like the answer: its end came, and nothing had begun it."""
        left_out = len(self._answer) - len(self._answer.lstrip())
        self.lengths = [
            (tokens, thought + max(0, answer - left_out), 0)
            for tokens, thought, answer in self.lengths
        ]

    def token_at(self, offset: int, in_thought: bool) -> int | None:
        """Return the number of the token that brought a character, counted from 1; None unknown."""
        place = 1 if in_thought else 2
        return next((entry[0] for entry in self.lengths if entry[place] > offset), None)


@dataclass(frozen=True)
class ColumnOutcome:
    """How one column of a replay ended, in words."""

    end: ColumnEnd
    sentence: str
    differences: tuple[str, ...] = ()


def plan(
    card: Card,
    models: Sequence[ModelInfo],
    adapters: Sequence[LibraryAdapter],
    digests: Digests,
    trusts_code: bool = False,
    anywhere: bool = False,
) -> list[Planned]:
    """Return what each column of a card can be asked of; reads files whose digests are not known.

    Args:
        card: the card.
        models: those there are.
        adapters: the LoRA adapters there are.
        digests: of files.
        trusts_code: whether code that comes with a model may run, where the card says that it did.
        anywhere: whether a model is also taken from where one of its content was read before.
    """
    known = _Known(models, adapters, digests, anywhere)
    return [_planned(slot, known, trusts_code) for slot in card.slots]


def settings_of(planned: Planned, trusts_code: bool = False) -> ModelConfig:
    """Return the settings of a column, with the threads and the context that it had then.

    Raises:
        ConfigurationError: the card has a setting that there is not, or a wrong value.
    """
    engine, values = planned.slot.engine, dict(planned.slot.config)
    values["lora"] = list(planned.adapters)
    if values.get("n_threads") is None and engine.threads:
        values["n_threads"] = engine.threads
    if values.get("n_ctx") is None and engine.context_length:
        values["n_ctx"] = engine.context_length
    config = ModelConfig.from_dict(values)
    # A card may come from anybody: what it says does not let code run here.
    return replace(config, trust_remote_code=config.trust_remote_code and trusts_code)


def check(card: Card) -> None:
    """Refuse a card whose questions or settings are none.

    Raises:
        ConfigurationError: which column, and what is wrong.
    """
    for number, slot in enumerate(card.slots, start=1):
        try:
            config = settings_of(Planned(slot))
            if config.seed is None and not config.is_greedy:
                raise ConfigurationError("it has no seed, so nothing could be repeated.")
            slot.conversation()
        except (ConfigurationError, TypeError) as error:
            raise ConfigurationError(
                f"Column {number} of the card cannot be asked: {error} The card was changed; "
                "export it again with 'comparator export ID --to card'."
            ) from error


def outcome(
    card: Card, planned: Planned, result: InferenceResult, progress: TextLengths
) -> ColumnOutcome:
    """Return how a column's answer compares with the card's."""
    slot, name = planned.slot, name_shown(planned.slot.model.name)
    if result.error and not (slot.answer.error_kind and result.error_kind):
        return ColumnOutcome(ColumnEnd.NOT_RUN, f"{name}: {with_controls_shown(result.error)}")
    if result.error or slot.answer.error_kind:
        return _of_failures(name, slot, result)
    in_thought = _parted(slot.answer.thinking, _thought(result), slot)
    in_answer = _parted(slot.answer.text, result.content, slot)
    found = in_thought or in_answer
    if found is None:
        tokens = result.stats.token_count
        return ColumnOutcome(ColumnEnd.IDENTICAL, f"{name}: identical, {tokens} tokens")
    told = _told(found, in_thought is not None, progress)
    changed = tuple(differences(card, slot, result))
    return ColumnOutcome(ColumnEnd.PARTED, f"{name}: {told}", changed or (UNEXPLAINED,))


UNEXPLAINED = "Nothing that the card tells of engine, threads and machine differs."


def exit_code(outcomes: Sequence[ColumnOutcome]) -> int:
    """Return 0 where all are identical, 1 where one could not run, else 3: one parted."""
    ends = {one.end for one in outcomes}
    if ColumnEnd.NOT_RUN in ends:
        return 1
    return 3 if ColumnEnd.PARTED in ends else 0


def differences(card: Card, slot: CardSlot, result: InferenceResult) -> Iterator[str]:
    """Yield what of engine and machine is not now as it was then, a sentence each."""
    then, now = slot.engine, result.engine
    words = {
        "engine": (then.name, now.get("name")),
        "threads": (then.threads, now.get("threads")),
        "number type": (then.dtype, now.get("dtype")),
        "device": (then.device, now.get("device")),
        "decoding": (then.way, now.get("way")),
        "context": (then.context_length, now.get("context_length")),
        "tokens of the prompt": (slot.answer.prompt_tokens, result.stats.prompt_tokens),
    }
    yield from _unequal(words)
    digests = Digests()
    build = build_here(slot.model.model_type, digests)
    digests.close()
    if then.name == now.get("name") and then.build and build != then.build:
        yield "The engine has the same version and is built otherwise."
    here = this_machine()
    yield from _unequal(
        {
            "processor": (card.machine.processor, here.processor),
            "system": (
                f"{card.machine.system} {card.machine.architecture}",
                f"{here.system} {here.architecture}",
            ),
        }
    )
    if card.machine.features != here.features:
        yield "The processor's instructions differ."


def _unequal(words: Mapping[str, tuple[object, object]]) -> Iterator[str]:
    for what, (then, now) in words.items():
        if then and now != then:
            shown = name_shown(str(then))[:120]
            yield f"{what[:1].upper()}{what[1:]}: then {shown}, now {name_shown(str(now or '?'))}."


@dataclass(frozen=True)
class _Known:
    """What there is to find models and adapters among."""

    models: Sequence[ModelInfo]
    adapters: Sequence[LibraryAdapter]
    digests: Digests
    anywhere: bool


def _planned(slot: CardSlot, known: _Known, trusts_code: bool) -> Planned:
    if slot.config.get(FOREIGN_CODE) and not trusts_code:
        name = name_shown(slot.model.name)
        return Planned(
            slot,
            problem=f"{name} ran code that comes with it, which a card cannot turn on. If you "
            "trust that code, say --trust-remote-code.",
        )
    try:
        model = _model(slot.model, known)
        found = [_adapter(one, slot.model.model_type, known) for one in slot.adapters]
    except ConfigurationError as error:
        return Planned(slot, problem=str(error))
    return Planned(slot, model, tuple(found))


def _model(wanted: CardModel, known: _Known) -> ModelInfo:
    """Return the model of a card.

    Raises:
        ConfigurationError: it is missing, or what has its name differs; and what to do.
    """
    kind = wanted.model_type
    alike = [one for one in known.models if one.model_type.value == kind and not one.problem]
    as_large = [one for one in alike if one.size == wanted.size]
    named = [one for one in alike if name_shown(one.name) == name_shown(wanted.name)]
    if not is_known(wanted.files):
        both = [one for one in as_large if one in named]
        return both[0] if both else _refuse(wanted, named)
    here = sorted(as_large, key=lambda one: one not in named)
    elsewhere = list(_elsewhere(wanted, known.digests)) if known.anywhere else []
    for one in [*here, *elsewhere]:
        if _same(wanted.files, files_of(Path(one.path), kind, known.digests)):
            return one
    return _refuse(wanted, named)


def _elsewhere(wanted: CardModel, digests: Digests) -> Iterator[ModelInfo]:
    """Yield models outside of the folders of which a file is known here by its content."""
    for place in digests.places_of(wanted.files[0].sha256 or ""):
        for path in (place, place.parent):
            found = discovery.inspect(path)
            if found and found.model_type.value == wanted.model_type and not found.problem:
                yield found


def _same(wanted: Sequence[CardFile], there: Sequence[CardFile]) -> bool:
    """Whether the contents are the same, whatever the files are called."""
    return sorted(str(one.sha256) for one in wanted) == sorted(str(one.sha256) for one in there)


def _refuse(wanted: CardModel, named: Sequence[ModelInfo]) -> ModelInfo:
    name = name_shown(wanted.name)[:120]
    first = wanted.files[0].sha256 if wanted.files else None
    mark = f", SHA-256 {first[:12]}…" if first else ""
    what = f"the card's has {fine_size(wanted.size)}{mark}"
    if wanted.model_type == ModelType.CUSTOM.value:
        raise ConfigurationError(
            f"{name} was answered by an inferencer of somebody's own, which no card can bring. "
            "Ask it from the script that has it."
        )
    if named:
        raise ConfigurationError(
            f"{name} is here and is not the card's model: {what}, the one here has "
            f"{fine_size(named[0].size)} and other content. Bring the card's{_from(wanted)}."
        )
    raise ConfigurationError(
        f"{name} is not here: {what}. Bring it{_from(wanted)}, or name its folder with "
        "--models-dir."
    )


def _from(wanted: CardModel) -> str:
    if not wanted.repository:
        return " into your models folder"
    return f" with 'comparator pull {name_shown(wanted.repository)[:120]}'"


def _adapter(wanted: CardAdapter, model_type: str, known: _Known) -> str:
    for one in known.adapters:
        there = files_of(Path(one.path), model_type, known.digests)
        is_same = _same(wanted.files, there) if is_known(wanted.files) else one.name == wanted.name
        if is_same and one.kind.value == model_type:
            return Adapter(one.path, wanted.scale).as_text()
    raise ConfigurationError(
        f"The adapter {name_shown(wanted.name)[:120]} of the card is not here, or its content "
        "differs. Put it into your models folder."
    )


def _parted(then: str, now: str, slot: CardSlot) -> Parting | None:
    """Return where an answer parts from the card's; one that was stopped then is its begin."""
    if slot.answer.finish_reason == STOPPED:
        now = now[: len(then)]
    return parting(then, now)


def _thought(result: InferenceResult) -> str:
    return result.thinking.text if result.thinking else ""


def _told(found: Parting, in_thought: bool, progress: TextLengths) -> str:
    token = progress.token_at(found.offset, in_thought)
    at = f"at token {token} of the new answer, word" if token else "at word"
    where = " of the thought" if in_thought else ""
    then, now = (
        with_controls_shown(text).replace("\n", "\\n") for text in (found.first, found.second)
    )
    return f"parted {at} {found.word}{where}: then {then!r}, now {now!r}"


def _of_failures(name: str, slot: CardSlot, result: InferenceResult) -> ColumnOutcome:
    then, now = slot.answer.error_kind, result.error_kind
    if then == now:
        return ColumnOutcome(
            ColumnEnd.NOT_RUN, f"{name}: failed then and now ({now}); nothing to compare"
        )
    told = f"failed then ({name_shown(str(then))[:40]}) and "
    told += f"fails otherwise now ({now})" if now else "answers now"
    return ColumnOutcome(ColumnEnd.PARTED, f"{name}: {told}")
