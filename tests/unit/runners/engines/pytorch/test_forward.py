"""Every way of stepping computes what reading everything at once computes."""

from __future__ import annotations

from typing import Any

import pytest
from small_torch_models import BAMBA, GPT2, MAMBA, SMALL, make_model

from runners.engines.pytorch import adapter, forward, ways
from runners.engines.pytorch.forward import CachedStepper, PreparedStepper, RecomputingStepper

torch = pytest.importorskip("torch")

CASES = [
    ("llama", SMALL, CachedStepper),
    ("gpt2", GPT2, CachedStepper),
    ("gemma2", {**SMALL, "head_dim": 8, "sliding_window": 16}, CachedStepper),
    ("mistral", {**SMALL, "sliding_window": 16}, CachedStepper),
    ("lfm2", {**SMALL, "layer_types": ["conv", "full_attention"]}, CachedStepper),
    ("phi3", SMALL, PreparedStepper),
    ("bamba", BAMBA, PreparedStepper),
    ("mamba", MAMBA, PreparedStepper),
    ("rwkv", {**MAMBA, "attention_hidden_size": 32, "context_length": 256}, RecomputingStepper),
]


def make_stepper(model: Any, device: Any) -> RecomputingStepper:
    return ways.find(model, device).stepper(model, device)


@pytest.mark.parametrize(("kind", "fields", "way"), CASES, ids=[case[0] for case in CASES])
def test_steps_equal_one_pass(
    monkeypatch: pytest.MonkeyPatch, kind: str, fields: dict[str, Any], way: type
) -> None:
    monkeypatch.setattr(forward, "PREFILL_TOKENS", 32)
    model = make_model(kind, fields)
    tokens = torch.randint(3, 300, (90,), generator=torch.Generator().manual_seed(1)).tolist()
    stepper = make_stepper(model, torch.device("cpu"))
    if not adapter.may_have_cache(model):  # an older transformers says so of running states
        way = RecomputingStepper
    assert type(stepper) is way
    with torch.inference_mode():
        scores = [stepper.read(tokens[:70], lambda: False)]
        scores += [stepper.step(token) for token in tokens[70:]]
        expected = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, 69:]
    error = (torch.stack(scores) - expected).abs().max() / expected.abs().max()
    assert error < 1e-4


def test_cache_grows_beyond_its_first_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_GROWTH_TOKENS", 8)
    test_steps_equal_one_pass(monkeypatch, *CASES[0])


def test_stop_between_parts_of_a_prompt() -> None:
    stepper = make_stepper(make_model("llama", SMALL), torch.device("cpu"))
    asked: list[int] = []

    def second_time() -> bool:
        asked.append(1)
        return len(asked) == 2

    with torch.inference_mode():
        assert stepper.read([5] * 1200, second_time) is None


def test_one_dnn_is_on_again_after_a_step() -> None:
    model = make_model("llama", SMALL).to(torch.bfloat16)
    stepper = make_stepper(model, torch.device("cpu"))
    before = torch.backends.mkldnn.enabled
    with torch.inference_mode():
        stepper.read([5, 6], lambda: False)
        stepper.step(7)
    assert torch.backends.mkldnn.enabled == before
