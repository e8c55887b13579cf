"""Where weights go on accelerators: the one place for who estimates it and for who loads them.

Arithmetic alone: the free memory is given, so that it is the same for any kind of device.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

ALL_LAYERS = -1  # as ``n_gpu_layers`` says it
# Left free on each device by transformers: the KV cache, intermediate results, the driver's own.
SPREAD_RESERVE_BYTES = 1_000_000_000


def wanted_layers(use_gpu: bool, n_gpu_layers: int | None) -> int | None:
    """Return how many layers settings ask for; None leaves it open, -1 is all, 0 without a GPU."""
    return n_gpu_layers if use_gpu else 0


def layers_on_device(wanted: int | None, layers: int | None) -> tuple[int, int]:
    """Return how many of a GGUF's layers go to accelerators, and how many it has.

    llama.cpp counts the output as one layer more, and takes all where that is left open.

    Args:
        wanted: as for ``n_gpu_layers``.
        layers: how many it has without the output; None where that is not known.
    """
    whole = (layers or max(wanted or 0, 1)) + 1
    return (whole if wanted is None or wanted < 0 else min(wanted, whole)), whole


@dataclass(frozen=True)
class Spread:
    """Where transformers puts the weights of one model.

    Attributes:
        device: the device of the inputs, which has all of them unless ``most`` says otherwise.
        most: for each device the bytes of weights that it may take, where none takes all of
            them; what is beyond goes to RAM.
    """

    device: int
    most: tuple[int, ...] = ()

    @property
    def devices(self) -> int:
        """How many devices have a part."""
        return len(self.most) or 1

    def share(self, weight_bytes: int) -> float:
        """Return the share of the weights that goes to devices, 0 to 1."""
        return min(1.0, sum(self.most) / weight_bytes) if self.most and weight_bytes else 1.0


def spread(weight_bytes: int, free_bytes: Sequence[int], can_be_spread: bool) -> Spread:
    """Choose the emptiest device, or all of them and RAM for what fits none.

    Args:
        weight_bytes: of the weights, in the type of number that they are loaded in.
        free_bytes: of each device.
        can_be_spread: whether accelerate is there; without it a model goes to one device.
    """
    room = [max(0, free - SPREAD_RESERVE_BYTES) for free in free_bytes]
    emptiest = max(range(len(room)), key=room.__getitem__, default=0)
    if not room or weight_bytes <= room[emptiest] or not can_be_spread:
        return Spread(emptiest)
    return Spread(0, tuple(room))


def can_spread() -> bool:
    """Tell whether accelerate is there, with which transformers spreads a model."""
    return importlib.util.find_spec("accelerate") is not None
