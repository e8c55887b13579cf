"""How many answers are written at once, by memory and by what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gguf import GGUFWriter

from comparator.comparison.request import Slot
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo, ModelType
from comparator.evaluation import batch
from comparator.memory import devices
from comparator.memory.fit import TIGHT_SHARE
from comparator.services.memory_manager import MemoryManager
from comparator.services.token_counts import ModelPromptSize

OWN = 8192
TOKEN_BYTES = 24 * 2 * 3 * 64 * 2  # of keys and values in 16 bits
PROMPT_TOKENS = 40


@pytest.fixture
def model(tmp_path: Path) -> ModelInfo:
    """A header of 24 layers with 3 KV heads of 64."""
    path = tmp_path / "m.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(24)
    writer.add_context_length(OWN)
    writer.add_embedding_length(576)
    writer.add_head_count(9)
    writer.add_head_count_kv(3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return ModelInfo("", "m", str(path), ModelType.GGUF, 98_000_000)


class Engine:
    """What a plan asks of an engine: free memory, and how long prompts are."""

    def __init__(self, free: float, monkeypatch: pytest.MonkeyPatch, tokens: Any = None) -> None:
        monkeypatch.setattr(devices, "can_use_device", lambda _kind: False)
        self.memory_manager = MemoryManager()
        monkeypatch.setattr(self.memory_manager, "available_bytes", lambda *_a: int(free))
        self.token_counts = SimpleNamespace(of_all=tokens or self._count)
        self.counted: list[str] = []

    def _count(self, _slot: Slot, asked: Sequence[Conversation]) -> list[ModelPromptSize]:
        self.counted += [one.question for one in asked]
        return [ModelPromptSize(PROMPT_TOKENS, OWN) for _ in asked]


def questions(count: int) -> list[Conversation]:
    return [Conversation.of(f"What is {number:03}?") for number in range(count)]


def slot_of(model: ModelInfo, **settings: Any) -> Slot:
    return Slot(model, ModelConfig(**settings))


def planned(engine: Engine, slot: Slot, count: int = 20, wanted: str | int = "auto") -> Any:
    return batch.plan(engine, slot, questions(count), wanted)  # type: ignore[arg-type]


def bytes_for(engine: Engine, slot: Slot, size: int, tokens: int) -> float:
    """The free memory in which so many answers of so many tokens are not tight."""
    config = ModelConfig(n_ctx=tokens, max_tokens=slot.config.max_tokens)
    longest = batch.longest_prompt(engine, slot, questions(20))  # type: ignore[arg-type]
    need = engine.memory_manager.estimate(slot.model, config, longest, size)
    return need.host / TIGHT_SHARE + 1


def test_each_answer_has_room_for_its_prompt_and_max_tokens(
    model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(100e9, monkeypatch)
    plan = planned(engine, slot_of(model, max_tokens=100))
    assert (plan.size, plan.context_tokens, plan.notice) == (16, 256, "")
    assert planned(engine, slot_of(model, max_tokens=350)).context_tokens == 512
    assert planned(engine, slot_of(model, max_tokens=4096, n_ctx=1000)).context_tokens == 1000


def test_never_more_than_there_are_questions(
    model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(100e9, monkeypatch)
    assert planned(engine, slot_of(model), count=3, wanted=16).size == 3
    assert planned(engine, slot_of(model), count=1, wanted=16) == batch.BatchPlan()
    assert planned(engine, slot_of(model), count=20, wanted="12").size == 12


def test_one_by_one_asks_nobody_and_changes_nothing(
    model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(0, monkeypatch)
    assert planned(engine, slot_of(model), wanted=1) == batch.BatchPlan(1, None, "")
    assert engine.counted == []


def test_less_memory_is_fewer_answers_and_says_so(
    model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = slot_of(model, max_tokens=2000)
    free = bytes_for(Engine(0, monkeypatch), slot, 5, 2048)
    plan = planned(Engine(free, monkeypatch), slot)
    assert (plan.size, plan.context_tokens) == (5, 2048)
    assert plan.notice.startswith("5 answers are written at once and not 16: memory")
    none = planned(Engine(1e6, monkeypatch), slot, wanted=4)
    assert (none.size, none.context_tokens) == (1, None)
    assert none.notice.startswith("Answers are written one after another and not 4 at once")


def test_the_cache_of_every_answer_counts(
    model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = Engine(0, monkeypatch).memory_manager
    one, eight = (manager.estimate(model, ModelConfig(n_ctx=1024), 100, n) for n in (1, 8))
    assert one.key_value_cache == 1024 * TOKEN_BYTES
    assert eight.key_value_cache == 8 * one.key_value_cache
    assert eight.weights == one.weights
    assert eight.compute >= one.compute


def test_an_open_context_is_shared_among_answers(
    model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = slot_of(model, n_ctx=None, max_tokens=None)
    assert planned(Engine(100e9, monkeypatch), slot).context_tokens == OWN
    free = bytes_for(Engine(0, monkeypatch), slot, 16, 4096)
    plan = planned(Engine(free, monkeypatch), slot)
    assert plan.size == 16
    assert plan.context_tokens == 4096
    little = bytes_for(Engine(0, monkeypatch), slot, 2, 1024)
    assert planned(Engine(little, monkeypatch), slot).size == 1, "an answer needs some room"


def test_the_longest_and_the_shortest_are_counted(
    model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(100e9, monkeypatch)
    asked = [Conversation.of("a" * length) for length in (5, 500, 50, 300, 400, 2)]
    longest = batch.longest_prompt(engine, slot_of(model), asked)  # type: ignore[arg-type]
    assert [len(text) for text in engine.counted] == [500, 400, 300, 2]
    assert longest > PROMPT_TOKENS, "what was not counted may have more tokens for its length"


def test_a_script_with_more_tokens_for_its_bytes_is_counted_too(
    model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here a letter of Latin is a quarter of a token, and one of Chinese three."""

    def tokens_of(one: Conversation) -> int:
        latin = sum(letter.isascii() for letter in one.question)
        return latin // 4 + 3 * (len(one.question) - latin)

    def counted(_slot: Slot, asked: Sequence[Conversation]) -> list[ModelPromptSize]:
        return [ModelPromptSize(tokens_of(one), OWN) for one in asked]

    texts = [*["word " * 240] * 4, *["\u4e2d" * 370] * 4, "word " * 200]
    asked = [Conversation.of(text) for text in texts]
    engine = Engine(100e9, monkeypatch, tokens=counted)
    longest = batch.longest_prompt(engine, slot_of(model), asked)  # type: ignore[arg-type]
    assert longest >= max(map(tokens_of, asked))


def test_where_nobody_counts_a_token_has_a_byte(
    model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(100e9, monkeypatch, tokens=lambda *_asked: None)
    asked = [Conversation.of("a" * 3000)]
    longest = batch.longest_prompt(engine, slot_of(model), asked)  # type: ignore[arg-type]
    assert longest >= 3000 + 1024


def test_an_engine_of_ones_own_is_asked_only_by_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(100e9, monkeypatch)
    for kind in (ModelType.ECHO, ModelType.CUSTOM):
        slot = slot_of(ModelInfo("", "m", str(tmp_path), kind, 1))
        assert planned(engine, slot).size == 1
        assert planned(engine, slot, wanted=4) == batch.BatchPlan(4)


@pytest.mark.parametrize("wanted", ["many", 0, -1, 65, 2.5, True, "", "1.5", "9" * 5000])
def test_what_is_no_number_of_answers_is_refused(
    wanted: Any, model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="auto, or a number between 1 and 64"):
        planned(Engine(100e9, monkeypatch), slot_of(model), wanted=wanted)
