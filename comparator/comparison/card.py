"""The reproduction card: one small JSON file with all that repeats a comparison elsewhere.

Models are known by their content (SHA-256 of their files), never by a place; no path of a machine
is in a card. ``comparator.comparison.replay`` asks what a card says once more.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
from pathlib import Path
from typing import Annotated, Any

import msgspec

from comparator.comparison.engine_trials import builds
from comparator.comparison.repeats import thought_of
from comparator.comparison.turns import asked
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError, MultiLLMError
from comparator.core.limits import MOST_MODELS
from comparator.core.lora import adapter_of
from comparator.core.models import ModelInfo, ModelType
from comparator.core.text import name_shown, plain, without_surrogates
from comparator.library.duplicates import parts_of
from comparator.storage.digests import Digests
from comparator.storage.kept_comparison import KeptComparison
from runners import registry
from runners.machine.processor import this_processor
from runners.protocol import Count

KIND = "multi-llm-comparator reproduction card"
VERSION = 1
LARGEST_BYTES = 16_000_000  # four answers and conversations of the largest size, and room
_DISTRIBUTION = "multi-llm-comparator"
_HUB_FOLDER = re.compile(r"^models--(?P<owner>[^-].*?)--(?P<name>.+)$")
_NOT_OF_AN_ANSWER = ("low_cpu_mem_usage", "system_prompt", "lora")

Record = dict[str, Any]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class CardPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """One strict piece of a card."""


class CardFile(CardPart, frozen=True):
    """A file of a model: its name without a folder, its size in bytes, its content."""

    name: str
    size: Count
    sha256: Digest | None = None


class CardModel(CardPart, frozen=True):
    """Which model: ``size`` is of its weights; ``repository`` is the Hub's name where known."""

    name: str
    model_type: str
    size: Count
    files: list[CardFile] = []
    repository: str | None = None


class CardAdapter(CardPart, frozen=True):
    """A LoRA adapter on a model."""

    name: str
    scale: float
    files: list[CardFile] = []


class CardMessage(CardPart, frozen=True):
    """One message of what was asked."""

    role: str
    content: str


class CardEngine(CardPart, frozen=True):
    """What answered: name with versions, and ``build``, a digest of its native files."""

    name: str = ""
    device: str = ""
    dtype: str = ""
    threads: Count = 0
    context_length: Count = 0
    way: str = ""
    build: str = ""


class CardAnswer(CardPart, frozen=True):
    """What was answered: text and what was thought before it, and how it ended."""

    text: str
    tokens: Count = 0
    thinking: str = ""
    prompt_tokens: Count = 0
    finish_reason: str | None = None
    error_kind: str | None = None


class CardSlot(CardPart, frozen=True):
    """One column. ``begun`` is the begin of an answer that was gone on with."""

    model: CardModel
    messages: list[CardMessage]
    config: dict[str, Any]
    engine: CardEngine
    answer: CardAnswer
    adapters: list[CardAdapter] = []
    begun: str = ""

    def conversation(self) -> Conversation:
        """Return what it was asked.

        Raises:
            ConfigurationError: it is no conversation.
        """
        messages = [{"role": one.role, "content": one.content} for one in self.messages]
        conversation = Conversation.of(messages)
        return conversation.continuing(self.begun) if self.begun else conversation


class CardMachine(CardPart, frozen=True):
    """The machine in words; ``features`` are instructions for which engines have code."""

    system: str = ""
    architecture: str = ""
    processor: str = ""
    cores: Count = 0
    features: list[str] = []


class Card(CardPart, frozen=True, kw_only=True):
    """A reproduction card; ``date`` is what chat templates were told of the time."""

    kind: str = KIND
    version: int = VERSION
    comparator: str
    comparison: str = ""
    asked: str = ""
    together: bool = False
    files: str = ""
    date: str | None = None
    machine: CardMachine
    slots: Annotated[list[CardSlot], msgspec.Meta(min_length=1, max_length=MOST_MODELS)]


class _Head(msgspec.Struct):
    kind: str = ""
    version: int = 0


def card_of(kept: KeptComparison, digests: Digests | None = None) -> Card:
    """Return the card of a comparison; reads models' files where their digests are not known.

    A model that is gone, or no longer as large, is on it without a digest.

    Raises:
        ConfigurationError: the comparison has no columns, or one that tells no question.
    """
    own = digests or Digests()
    try:
        return Card(
            comparator=_own_version(),
            comparison=kept.id,
            asked=_moment(kept.created),
            together=kept.together,
            files=kept.files,
            date=kept.date or _date_of(kept),
            machine=this_machine(),
            slots=[_slot_of(record, own) for record in kept.records],
        )
    finally:
        if digests is None:
            own.close()


def without_digests(card: Card) -> list[str]:
    """Return the names of models that a card knows by name and size alone."""
    models = [slot.model for slot in card.slots]
    return [one.name for one in models if not is_known(one.files)]


def is_known(files: list[CardFile]) -> bool:
    """Whether the content of all of a model's files is on a card."""
    return bool(files) and all(one.sha256 for one in files)


def text_of(card: Card) -> str:
    """Return a card as the text of its file."""
    named = msgspec.to_builtins(card)
    whole = {"kind": card.kind, "version": card.version, **named}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"


def read_card(path: Path) -> Card:
    """Read the file of a card.

    Raises:
        ConfigurationError: it is none, is damaged, too large or of a later version.
    """
    try:
        if not path.is_file():
            raise ConfigurationError(f"There is no card at {_shown(path)}: it is not a file.")
        with open(path, "rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{_shown(path)} cannot be read: {why}.") from error
    return card_in(data, _shown(path))


def card_in(data: bytes, name: str) -> Card:
    """Return the card in a file's content.

    Raises:
        ConfigurationError: as ``read_card``.
    """
    if len(data) > LARGEST_BYTES:
        raise ConfigurationError(
            f"{name} has over {LARGEST_BYTES // 1_000_000} MB, which no reproduction card has. "
            "Export the card again with 'comparator export ID --to card'."
        )
    head = _decoded(data, _Head, name)
    if head.kind != KIND:
        raise ConfigurationError(
            f"{name} is no reproduction card. 'comparator export ID --to card' makes one."
        )
    if head.version != VERSION:
        later = "a later" if head.version > VERSION else "no known"
        raise ConfigurationError(
            f"{name} is of {later} version of the card ({head.version}); this program reads "
            f"version {VERSION}. Install a newer multi-llm-comparator."
        )
    card: Card = _decoded(data, Card, name)
    return card


def _decoded(data: bytes, kind: type[Any], name: str) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError) as error:
        raise ConfigurationError(
            f"{name} is no whole reproduction card: {str(error)[:200]}. It was cut off or changed; "
            "export it again with 'comparator export ID --to card'."
        ) from error


def _own_version() -> str:
    try:
        return importlib.metadata.version(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:  # run from a folder, not installed
        return ""


def this_machine() -> CardMachine:
    """Return this machine in words."""
    processor = this_processor()
    return CardMachine(
        system=platform.system(),
        architecture=processor.machine,
        processor=processor.name,
        cores=os.cpu_count() or 0,
        features=list(processor.flags_that_matter),
    )


def build_here(model_type: str, digests: Digests) -> str:
    """Return a digest of the native files of the engine that answers here; empty without one."""
    try:
        engine = registry.engine(model_type)
    except MultiLLMError:  # an inferencer of somebody's own
        return ""
    if not engine.library:
        return ""
    return builds.build_of(model_type, engine, digests).native[:16]


def files_of(path: Path, model_type: str, digests: Digests) -> list[CardFile]:
    """Return the files of a model or an adapter, with their digests; empty where it is gone."""
    kinds = {kind.value: kind for kind in ModelType}
    info = ModelInfo("", "", str(path), kinds.get(model_type, ModelType.CUSTOM), 0)
    try:
        parts = sorted(parts_of(info))
        return [
            CardFile(_plain(name or part.name), part.stat().st_size, digests.of(part))
            for name, part in parts
        ]
    except (OSError, ValueError):
        return []


def _slot_of(record: Record, digests: Digests) -> CardSlot:
    model, engine = record.get("model") or {}, record.get("engine") or {}
    stats, content = record.get("stats") or {}, record.get("content") or ""
    config = {**(record.get("config") or {}), **(record.get("sent") or {})}
    conversation = asked(record)
    kind = str(model.get("model_type") or "")
    return CardSlot(
        model=_model_of(model, digests),
        adapters=[_adapter_of(text, kind, digests) for text in config.get("lora") or ()],
        messages=[CardMessage(one.role, one.content) for one in conversation.messages],
        begun=conversation.begun,
        config=plain({name: config[name] for name in config if name not in _NOT_OF_AN_ANSWER}),
        engine=_engine_of(engine, kind, digests),
        answer=CardAnswer(
            text=_plain(content),
            tokens=stats.get("token_count") or 0,
            thinking=_plain(thought_of(record)),
            prompt_tokens=stats.get("prompt_tokens") or 0,
            finish_reason=stats.get("finish_reason"),
            error_kind=record.get("error_kind"),
        ),
    )


def _model_of(model: Record, digests: Digests) -> CardModel:
    place, size = Path(str(model.get("path") or "")), int(model.get("size") or 0)
    kind = str(model.get("model_type") or "")
    files = files_of(place, kind, digests) if model.get("path") else []
    if not _is_as_large(place, kind, size):
        files = []  # another has taken its place since
    return CardModel(
        name=name_shown(str(model.get("name") or model.get("id") or "")),
        model_type=kind,
        size=size,
        files=files,
        repository=repository_of(place),
    )


def _is_as_large(place: Path, kind: str, size: int) -> bool:
    if kind != ModelType.GGUF.value:
        return True  # a folder's size is of its weights alone
    kinds = ModelInfo("", "", str(place), ModelType.GGUF, 0)
    try:
        return sum(part.stat().st_size for _name, part in parts_of(kinds)) == size
    except (OSError, ValueError):
        return False


def _adapter_of(text: str, model_type: str, digests: Digests) -> CardAdapter:
    adapter = adapter_of(text)
    place = Path(adapter.name).expanduser()
    return CardAdapter(_plain(place.name), adapter.scale, files_of(place, model_type, digests))


def _engine_of(engine: Record, model_type: str, digests: Digests) -> CardEngine:
    return CardEngine(
        name=str(engine.get("name") or ""),
        device=str(engine.get("device") or ""),
        dtype=str(engine.get("dtype") or ""),
        threads=engine.get("threads") or 0,
        context_length=engine.get("context_length") or 0,
        way=str(engine.get("way") or ""),
        build=build_here(model_type, digests),
    )


def repository_of(place: Path) -> str | None:
    """Return the Hub's name of a model that lies in the Hub's cache (``models--OWNER--NAME``)."""
    for part in place.parts:
        found = _HUB_FOLDER.match(part)
        if found:
            return _plain(f"{found['owner']}/{found['name']}".replace("--", "/"))
    return None


def _date_of(kept: KeptComparison) -> str | None:
    """Return what a chat template was told of the time; None where none asked."""
    told = ((record.get("prompt") or {}).get("date") for record in kept.records)
    return next((str(date) for date in told if date), None)


def _moment(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.replace(microsecond=0).isoformat()


def _plain(text: str) -> str:
    return without_surrogates(text)


def _shown(path: Path) -> str:
    return name_shown(str(path))[:200]
