"""Weights sent to a device in pieces arrive whole, and no piece is used again too early."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from runners.engines.pytorch import pinned_memory  # noqa: E402


class Queue:
    """A device's queue of work: a copy happens when a mark behind it is waited for."""

    def __init__(self):
        self.made = []
        self.waited = 0

    def pinned(self, size):
        return torch.zeros(size, dtype=torch.uint8)

    def mark(self):
        mark = Mark(self)
        self.made.append(mark)
        return mark


class Mark:
    def __init__(self, queue):
        self.queue, self.pending = queue, False

    def record(self):
        assert not self.pending, "a piece was filled before it had left"
        self.pending = True

    def synchronize(self):
        self.queue.waited += self.pending
        self.pending = False


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(pinned_memory, "PIECE_BYTES", 64)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(1000, dtype=torch.float32),
        torch.arange(7, dtype=torch.int64).reshape(7, 1),
        torch.randn(5, 6).to(torch.bfloat16),
        torch.randn(6, 8).t(),
        torch.tensor(3.5),
        torch.empty(0, 4),
        torch.tensor([True, False]),
    ],
    ids=["floats", "column of integers", "bfloat16", "transposed", "scalar", "empty", "flags"],
)
def test_every_tensor_arrives_as_it_was(small_pieces, tensor):
    queue = Queue()
    copier = pinned_memory.PinnedCopier(torch.device("cpu"), queue)
    sent = copier.copy(tensor)
    copier.wait()
    assert torch.equal(sent, tensor)
    assert (sent.dtype, sent.shape) == (tensor.dtype, tensor.shape)
    assert sent.data_ptr() != tensor.data_ptr() or not tensor.numel()
    assert not any(mark.pending for mark in queue.made)


def test_two_pieces_take_turns(small_pieces):
    queue = Queue()
    pinned_memory.PinnedCopier(torch.device("cpu"), queue).copy(torch.zeros(1000))
    assert len(queue.made) == 2
    assert queue.waited == -(-4000 // 64) - 2


class Shared(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.one = torch.nn.Embedding(10, 4)
        self.other = torch.nn.Linear(4, 10, bias=False)
        self.other.weight = self.one.weight
        self.register_buffer("scale", torch.arange(4.0))
        self.register_buffer("none", None)
        self.twin = torch.nn.Module()
        self.twin.register_buffer("scale", self.scale)


def test_a_model_keeps_what_it_shares(small_pieces):
    model = Shared()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    moved = model.state_dict()  # held, so that no place is free to be taken again
    places = {tensor.data_ptr() for tensor in moved.values()}
    told = []
    pinned_memory.move(model, torch.device("cpu"), lambda *done: told.append(done), Queue())
    after = model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert not places & {tensor.data_ptr() for tensor in after.values()}
    assert model.other.weight is model.one.weight
    assert model.twin.scale is model.scale
    assert model.none is None
    assert told == [(160, 160)]


def test_a_real_layer_is_cudas():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    sent = pinned_memory.PinnedCopier(torch.device("cuda")).copy(torch.arange(10**7))
    assert torch.equal(sent.cpu(), torch.arange(10**7))
