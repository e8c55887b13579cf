"""Where a transformers model goes when there are GPUs: whole to one, or spread over several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comparator.core.placement import can_spread, spread
from comparator.formats.weights import weight_files
from runners.machine import memory

RAM_RESERVE_BYTES = 1_000_000_000
_EXPERT_COUNTS = ("num_local_experts", "num_experts", "n_routed_experts")


@dataclass(frozen=True)
class Placement:
    """Where to load to.

    Attributes:
        device: the device of the inputs.
        most: for each device and ``cpu`` the bytes of weights it may take where the model is
            spread (accelerate's ``max_memory``); empty where it goes to one device whole.
    """

    device: Any
    most: dict[int | str, int] = field(default_factory=dict)


def free_bytes_of_devices() -> list[int]:
    """Return what is free on each CUDA device."""
    import torch

    return [torch.cuda.mem_get_info(index)[0] for index in range(torch.cuda.device_count())]


def placement(device: Any, weight_bytes: int, free: Sequence[int] | None = None) -> Placement:
    """Choose the device, or several and RAM, as ``comparator.core.placement.spread`` does.

    Without accelerate a model goes to one device, and says so where it does not fit.

    Args:
        device: a ``torch.device`` of the kind wanted.
        weight_bytes: size of the weights as they are loaded.
        free: free bytes of each CUDA device; asked for where None.
    """
    import torch

    if device.type != "cuda":
        return Placement(device)
    free = free_bytes_of_devices() if free is None else free
    place = spread(weight_bytes, free, can_spread())
    chosen = torch.device("cuda", place.device)
    if not place.most:
        return Placement(chosen)
    ram = max(0, memory.available_bytes() - RAM_RESERVE_BYTES)
    return Placement(chosen, {**dict(enumerate(place.most)), "cpu": ram})


def loaded_bytes(path: Path, config: Any, dtype: Any) -> int:
    """Return the size of weights in the type of number that they are loaded in.

    Args:
        path: the model's directory.
        config: the model's, which names the type that they are stored in.
        dtype: a ``torch.dtype``, or ``"auto"`` for that type.
    """
    stored = getattr(getattr(config, "dtype", None), "itemsize", 0)
    wanted = getattr(dtype, "itemsize", 0)
    is_packed = getattr(config, "quantization_config", None) is not None
    if is_packed or not stored or not wanted:
        return weight_bytes(path)
    return int(weight_bytes(path) * wanted // stored)


def weight_bytes(path: Path) -> int:
    """Return the size of the weight files that transformers reads of a directory."""
    return sum(file.stat().st_size for file in weight_files(path))


def suits_pinned_memory(config: Any, dtype: Any, place: Placement) -> bool:
    """Tell whether weights can stay where their file is mapped until they are sent to one GPU.

    Other formats, and experts, are converted while they are loaded: that would take RAM.
    """
    text = config.get_text_config(decoder=True)
    plain = getattr(config, "quantization_config", None) is None
    plain = plain and not any(getattr(text, name, None) for name in _EXPERT_COUNTS)
    as_stored = dtype in ("auto", getattr(config, "dtype", None))
    return bool(place.device.type == "cuda" and not place.most and plain and as_stored)


def arguments_of(place: Placement, pinned: bool) -> dict[str, Any]:
    """Return what ``from_pretrained`` has to be told of a placement."""
    if place.most:
        return {"device_map": "auto", "max_memory": place.most}
    if place.device.type == "cpu" or pinned or not can_spread():
        return {}
    return {"device_map": {"": place.device}}


def peak_bytes(device: Any) -> int:
    """Return the peak memory on the accelerators in bytes; 0 on a CPU.

    Metal tells what is allocated now, pools included, which hardly shrinks in a run.
    """
    import torch

    if device.type == "cuda":
        devices = range(torch.cuda.device_count())
        return sum(int(torch.cuda.max_memory_reserved(index)) for index in devices)
    if device.type == "mps":
        told = torch.mps.driver_allocated_memory(), torch.mps.current_allocated_memory()
        return int(max(told))
    return 0
