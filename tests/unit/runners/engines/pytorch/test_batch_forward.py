"""Several conversations in one forward pass compute what each computes by itself."""

from __future__ import annotations

from typing import Any

import pytest
from small_torch_models import BAMBA, GPT2, MAMBA, SMALL, make_model

from runners.engines.pytorch import batch_cache, batch_forward, ways
from runners.engines.pytorch.batch_forward import BatchReader, of_like_length, trouble_with
from runners.engines.pytorch.forward import RecomputingStepper

torch = pytest.importorskip("torch")
CPU = torch.device("cpu")
SLIDING = {**SMALL, "sliding_window": 16}
TOGETHER = [
    ("llama", SMALL),
    ("gpt2", GPT2),
    ("mistral", SLIDING),
    ("gemma2", {**SLIDING, "head_dim": 8}),
]
ALONE = [
    ("lfm2", {**SMALL, "layer_types": ["conv", "full_attention"]}),
    ("phi3", SMALL),
    ("bamba", BAMBA),
    ("mamba", MAMBA),
    ("rwkv", {**MAMBA, "attention_hidden_size": 32, "context_length": 256}),
]


class Texts:
    """The texts of a reader's rows, and what the model computes for each by itself."""

    def __init__(self, model: Any, reader: BatchReader) -> None:
        self.model, self.reader = model, reader
        self.rows: list[list[int]] = []
        self.random = torch.Generator().manual_seed(1)

    def tokens(self, count: int) -> list[int]:
        made: list[int] = torch.randint(3, 300, (count,), generator=self.random).tolist()
        return made

    def add(self, *lengths: int) -> None:
        texts = [self.tokens(length) for length in lengths]
        scores = self.reader.add(texts, lambda: False)
        self.rows += texts
        assert scores is not None
        self.check(scores, self.rows[-len(texts) :])

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            chosen = self.tokens(len(self.rows))
            for text, token in zip(self.rows, chosen, strict=True):
                text.append(token)
            self.check(list(self.reader.step(chosen)), self.rows)

    def remove(self, row: int) -> None:
        self.reader.remove(row)
        last = self.rows.pop()
        if row < len(self.rows):
            self.rows[row] = last
        assert self.reader.rows == len(self.rows)

    def check(self, scores: list[Any], texts: list[list[int]]) -> None:
        assert len(scores) == len(texts)
        with torch.inference_mode():
            for found, text in zip(scores, texts, strict=True):
                alone: Any = RecomputingStepper(self.model, CPU).read(text, lambda: False)
                assert ways.distance(found, alone) < 1e-3


@pytest.mark.parametrize(("kind", "fields"), TOGETHER, ids=[kind for kind, _ in TOGETHER])
def test_rows_come_and_go_and_compute_what_each_would_alone(
    kind: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts in parts, beyond a window, longer than what is there, and beyond the room's end."""
    monkeypatch.setattr(batch_cache, "SPARE_COLUMNS", 4)
    monkeypatch.setattr(batch_forward, "_FEWEST_COLUMNS", 5)
    monkeypatch.setattr(batch_forward, "PREFILL_TOKENS", 12)
    model = make_model(kind, fields)
    texts = Texts(model, BatchReader(model, CPU, ways.find(model, CPU), 4, 48))
    texts.add(20, 18, 6)
    texts.step(3)
    texts.remove(0)
    texts.step(9)
    texts.add(31)
    texts.step(9)
    texts.add(2)
    texts.step(4)
    for row in (3, 1, 0):
        texts.remove(row)
        texts.step(2)
    texts.remove(0)
    texts.add(9)
    texts.step()


@pytest.mark.parametrize(("kind", "fields"), TOGETHER, ids=[kind for kind, _ in TOGETHER])
def test_a_model_that_computes_rows_rightly_is_believed(kind: str, fields: dict[str, Any]) -> None:
    model = make_model(kind, fields)
    assert trouble_with(model, CPU, ways.find(model, CPU)) == ""


@pytest.mark.parametrize(("kind", "fields"), ALONE, ids=[kind for kind, _ in ALONE])
def test_one_that_does_not_is_told_why(kind: str, fields: dict[str, Any]) -> None:
    model = make_model(kind, fields)
    assert trouble_with(model, CPU, ways.find(model, CPU)) != ""


def test_wrong_positions_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model("llama", SMALL)
    way = ways.find(model, CPU)
    right = model.forward

    def forward(**arguments: Any) -> Any:
        if arguments.get("use_cache") and arguments["input_ids"].shape[0] > 1:
            arguments["position_ids"] = arguments["position_ids"] * 2
        return right(**arguments)

    monkeypatch.setattr(model, "forward", forward)
    assert "apart" in trouble_with(model, CPU, way)


def test_without_memory_there_are_fewer_seats(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model("llama", SMALL)
    made = batch_cache.BatchRoom

    def room(like: Any, rows: int, tokens: int) -> Any:
        if rows > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to …")
        return made(like, rows, tokens)

    monkeypatch.setattr(batch_forward, "BatchRoom", room)
    assert BatchReader(model, CPU, ways.find(model, CPU), 8, 48).seats == 2


def test_prompts_that_are_stopped_leave_no_row() -> None:
    model = make_model("llama", SMALL)
    reader = BatchReader(model, CPU, ways.find(model, CPU), 2, 48)
    assert reader.add([[5, 6, 7]], lambda: True) is None
    assert reader.rows == 0
    asked: list[bool] = []
    stop = lambda: asked.append(True) or len(asked) > 1  # type: ignore[func-returns-value]  # noqa: E731
    assert reader.add([[5] * 40, [6, 7]], stop) is None, "the first was read, the second was not"
    assert reader.rows == 0


def test_prompts_of_like_length_are_read_together() -> None:
    lengths = [400, 330, 300, 60, 50, 9]
    groups = of_like_length([[0] * length for length in lengths])
    assert [[len(one) for one in group] for group in groups] == [[400, 330], [300], [60, 50], [9]]
