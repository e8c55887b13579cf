"""Copies weights to a GPU through page-locked memory, so that reading and sending overlap.

A copy from ordinary memory makes CUDA copy every piece to such memory first, and wait. Here two
pieces take turns: while one travels, the next is read from the (mapped) file. Reference:
https://docs.pytorch.org/docs/stable/notes/cuda.html#use-pinned-memory-buffers
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

PIECE_BYTES = 32 * 1024 * 1024
_PIECES = 2

Told = Callable[[float, float], None]


class Sent(Protocol):
    """A mark in the queue of a device's work."""

    def record(self) -> None:
        """Put the mark behind all that was asked so far."""

    def synchronize(self) -> None:
        """Wait until the work before the mark is done; at once where it was never put."""


class Layer(Protocol):
    """What a device offers; tests have one of their own."""

    def pinned(self, size: int) -> Any:
        """Return page-locked memory as a tensor of so many bytes."""

    def mark(self) -> Sent:
        """Return a new mark."""


class CudaLayer:
    """CUDA's own."""

    def pinned(self, size: int) -> Any:
        """Return page-locked memory as a tensor of so many bytes."""
        import torch

        return torch.empty(size, dtype=torch.uint8, pin_memory=True)

    def mark(self) -> Sent:
        """Return a new mark."""
        import torch

        mark: Sent = torch.cuda.Event()
        return mark


class PinnedCopier:
    """Sends tensors to a device; ``wait`` before the first use of the last one."""

    def __init__(self, device: Any, layer: Layer | None = None) -> None:
        layer = layer or CudaLayer()
        self._device = device
        self._pieces = [(layer.pinned(PIECE_BYTES), layer.mark()) for _ in range(_PIECES)]
        self._turn = 0

    def copy(self, source: Any) -> Any:
        """Return a tensor on the device with the same content, which may still be on its way."""
        import torch

        target = torch.empty_like(
            source, device=self._device, memory_format=torch.contiguous_format
        )
        if source.numel():
            there = target.view(-1).view(torch.uint8)
            for begin, piece in self._read(source.contiguous().view(-1).view(torch.uint8)):
                there[begin : begin + len(piece)].copy_(piece, non_blocking=True)
                self._pieces[self._turn][1].record()
        return target

    def wait(self) -> None:
        """Wait until everything has arrived."""
        for _piece, mark in self._pieces:
            mark.synchronize()

    def _read(self, content: Any) -> Iterator[tuple[int, Any]]:
        for begin in range(0, len(content), PIECE_BYTES):
            self._turn = (self._turn + 1) % _PIECES
            piece, mark = self._pieces[self._turn]
            mark.synchronize()  # what it carried before must have left
            part = content[begin : begin + PIECE_BYTES]
            piece[: len(part)].copy_(part)
            yield begin, piece[: len(part)]


def move(model: Any, device: Any, told: Told, layer: Layer | None = None) -> Any:
    """Move a model's weights and buffers to a device; shared ones stay shared.

    Args:
        model: a module on the CPU.
        device: where to.
        told: called with the bytes sent and the bytes in all.
        layer: how the device is used; CUDA's where none is given.
    """
    copier = PinnedCopier(device, layer)
    parameters, sent = list(model.parameters()), 0
    total = sum(parameter.nbytes for parameter in parameters)
    for parameter in parameters:
        parameter.data = copier.copy(parameter.data)
        sent += parameter.nbytes
        told(sent, total)
    moved: dict[int, Any] = {}
    kept = list(model.buffers())  # alive, so that ids stay theirs
    for module in model.modules():
        for name, buffer in list(module.named_buffers(recurse=False, remove_duplicate=False)):
            if id(buffer) not in moved:
                moved[id(buffer)] = copier.copy(buffer)
            setattr(module, name, moved[id(buffer)])
    copier.wait()
    del kept
    return model
