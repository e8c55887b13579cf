"""A recorded step computes what an ordinary one does; graphs are stood in for by repetition."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from model_files import write_directory

torch = pytest.importorskip("torch")

from runners.engines.pytorch import adapter, cuda_graphs, ways  # noqa: E402
from runners.engines.pytorch.adapter import can_be_recorded  # noqa: E402
from runners.engines.pytorch.cuda_graphs import GraphStepper, suits  # noqa: E402

needs_graphs = pytest.mark.skipif(
    not adapter.knows_graphs(), reason="this transformers lacks what a recorded step needs"
)
CPU, CUDA = torch.device("cpu"), torch.device("cuda")
PROMPT = [5, 9, 2, 77, 31, 8]


class Repetition:
    """Records by keeping the work: to replay is to do it again, into the same memory."""

    def __init__(self):
        self.replays = 0

    def record(self, work):
        for _ in range(3):
            work()
        result = work().clone()

        def replay():
            self.replays += 1
            result.copy_(work())

        return replay, result


class Refusal:
    def record(self, work):
        work()
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from transformers import AutoModelForCausalLM

    folder = write_directory(tmp_path_factory.mktemp("graph"))
    return AutoModelForCausalLM.from_pretrained(folder).eval()


def written(stepper, count=20):
    """Return the tokens of a greedy answer and the scores behind them."""
    tokens, scores = [], []
    with torch.inference_mode():
        now = stepper.read(PROMPT, lambda: False)
        for _ in range(count):
            scores.append(now.clone())
            tokens.append(int(now.argmax()))
            now = stepper.step(tokens[-1])
    return tokens, torch.stack(scores)


def usual(model):
    return ways.find(model, CPU).stepper(model, CPU)


def graph_of(model, graphs):
    return GraphStepper(model, CPU, adapter.cache_names(model)[0], 40, graphs)


@needs_graphs
def test_a_recorded_step_gives_the_same_answer(model):
    graphs = Repetition()
    tokens, scores = written(usual(model))
    recorded, recorded_scores = written(graph_of(model, graphs))
    assert recorded == tokens
    assert torch.allclose(recorded_scores, scores, atol=1e-4)
    assert graphs.replays == 20


@needs_graphs
def test_what_cannot_be_recorded_runs_as_usual(model):
    tokens, _ = written(usual(model))
    assert written(graph_of(model, Refusal()))[0] == tokens


@needs_graphs
def test_a_prompt_may_be_longer_than_a_part(model, monkeypatch):
    stepper = graph_of(model, Repetition())
    stepper.chunk_tokens = 4
    assert written(stepper)[0] == written(usual(model))[0]


@needs_graphs
def test_only_a_long_answer_on_cuda_pays(model):
    long = cuda_graphs.FEWEST_TOKENS
    assert can_be_recorded(model)
    assert suits(model, CUDA, long)
    assert not suits(model, CUDA, long - 1)
    assert not suits(model, CPU, long)


def test_not_on_several_devices(model, monkeypatch):
    monkeypatch.setattr(model, "hf_device_map", {"a": 0, "b": 1}, raising=False)
    assert not suits(model, CUDA, 4000)


def test_not_where_layers_count_in_python(model):
    from transformers import Gemma2Config, Gemma2ForCausalLM

    config = Gemma2Config(
        vocab_size=300, hidden_size=32, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=16, sliding_window=8,
    )  # fmt: skip
    assert not can_be_recorded(Gemma2ForCausalLM(config))
    assert not can_be_recorded(SimpleNamespace())
