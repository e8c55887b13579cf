"""How much of a model goes to which memory: all of it to the accelerator, a part, or nothing.

Arithmetic alone: the free memory is given, so that it is the same for any kind of device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from comparator.core import placement as engines
from comparator.core.models import ModelType
from comparator.core.placement import ALL_LAYERS

# Not measured here, see docs/gpu.md: what a driver takes for each process on a device (300 to
# 500 MB are told of CUDA), and what is left free for the screen and for fragments.
DEVICE_CONTEXT_BYTES = 450_000_000
DEVICE_RESERVE_BYTES = 300_000_000


@dataclass(frozen=True)
class Load:
    """What can be placed, in bytes: weights, their cache, and a device's compute buffers."""

    weights: int
    cache: int
    compute: int

    @property
    def layers(self) -> int:
        """What goes where the layers go."""
        return self.weights + self.cache


@dataclass(frozen=True)
class ModelPlacement:
    """Where a model goes.

    Attributes:
        share: of weights and cache that go to accelerators, 0 to 1.
        device_bytes: all that it takes of their memory.
        compute_bytes: what of it is compute buffers and the drivers' own.
        chosen_layers: as for ``n_gpu_layers``, where the user chose none; None otherwise.
    """

    share: float = 0.0
    device_bytes: int = 0
    compute_bytes: int = 0
    chosen_layers: int | None = None


def placed(
    kind: ModelType,
    wanted_layers: int | None,
    layers: int | None,
    load: Load,
    free_bytes: Sequence[int],
) -> ModelPlacement:
    """Place a model on devices with so much free memory.

    Args:
        kind: its engine.
        wanted_layers: the user's ``n_gpu_layers``; None leaves the choice to us.
        layers: how many it has, None where that is not known.
        load: what it takes.
        free_bytes: of each device; empty where there is none.
    """
    if not free_bytes:
        return ModelPlacement()
    if kind is ModelType.PYTORCH:
        spread = engines.spread(load.weights, free_bytes, engines.can_spread())
        return _with_share(spread.share(load.weights), load, spread.devices)
    if kind is not ModelType.GGUF:
        return ModelPlacement()
    devices = len(free_bytes)
    if wanted_layers is not None:
        return _with_share(_share(wanted_layers, layers), load, devices)
    chosen = fitting_layers(load, layers, free_bytes)
    return _with_share(_share(chosen, layers), load, devices, chosen)


def fitting_layers(load: Load, layers: int | None, free_bytes: Sequence[int]) -> int:
    """Return the largest number of layers that fits, -1 where all of them do.

    llama.cpp counts the output as one layer more. Where the number of layers is not known, all
    are tried, as llama.cpp does by itself.
    """
    room = _room(load, free_bytes)
    if load.layers <= room or not layers:
        return ALL_LAYERS
    return max(0, min(layers, int(room * (layers + 1) // load.layers)))


def _room(load: Load, free_bytes: Sequence[int]) -> int:
    """Return what is left for layers on all devices, each of which needs its own buffers."""
    own = load.compute + DEVICE_CONTEXT_BYTES + DEVICE_RESERVE_BYTES
    return sum(max(0, free - own) for free in free_bytes)


def _share(wanted: int, layers: int | None) -> float:
    there, whole = engines.layers_on_device(wanted, layers)
    return there / whole


def _with_share(
    share: float, load: Load, devices: int, chosen: int | None = None
) -> ModelPlacement:
    if not share:
        return ModelPlacement(chosen_layers=chosen)
    own = (load.compute + DEVICE_CONTEXT_BYTES) * devices
    return ModelPlacement(share, int(load.layers * share) + own, own, chosen)
