"""PyTorch: decode and first token beside ``generate``, with and without graph and pinned loading.

The inferencer is used in this process, so that both sides have the same model, device and clock.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparator.core.config import ModelConfig
from runners.base import TokenText
from runners.engines.pytorch import cuda_graphs, placement
from runners.engines.pytorch.inferencer import PyTorchInferencer

from .scene import PROMPT, Scene
from .steps import Row

ROUNDS = 3
LENGTHS = (8, 16, 32, 64, 128, 256, 512)  # of answers, in tokens, where a graph may begin to pay
_NEVER = 10**9
_COPY_BYTES = 2**30


@dataclass(frozen=True)
class Timed:
    """One answer: seconds to its first token, and tokens a second from there on."""

    first_seconds: float
    rate: float
    seconds: float
    load_seconds: float
    way: str


def run(scene: Scene) -> None:
    """Measure every size, then from which length of an answer a graph pays."""
    bandwidth = _bandwidth(scene)
    for size in scene.sizes:
        _one_size(scene, size, bandwidth)
        _release()
    _curve(scene)


def _one_size(scene: Scene, size: str, bandwidth: float) -> None:
    path, tokens = scene.pytorch(size), scene.tokens
    plain = _median([_by_generate(path, scene.device.kind, tokens) for _ in range(ROUNDS)])
    _release()
    scene.tell(Row(f"{size}: generate, decode", plain.rate, "tok/s"))
    with _graphs_from(_NEVER):
        ours = _median([_ours(path, tokens) for _ in range(ROUNDS)])
    scene.tell(Row(f"{size}: ours without a graph, decode", ours.rate, "tok/s"))
    with _graphs_from(0):
        graph = _median([_ours(path, tokens) for _ in range(ROUNDS)])
    scene.tell(Row(f"{size}: ours with a graph, decode ({graph.way})", graph.rate, "tok/s"))
    best = max(ours.rate, graph.rate)
    scene.promised("PyTorch decode to generate", f"{size}: ours to generate", best / plain.rate)
    first = ours.first_seconds / plain.first_seconds
    told = f"{size}: first token, ours to generate"
    scene.promised("PyTorch first token to generate", told, first)
    read = sum(file.stat().st_size for file in path.glob("*.safetensors")) * best
    scene.tell(Row(f"{size}: weights read, of the bandwidth", read / bandwidth))
    _loading(scene, size, path)


def _loading(scene: Scene, size: str, path: Path) -> None:
    """Time the load through page-locked memory and without, the files in the system's cache."""
    if not scene.device.is_real:
        return
    pinned = statistics.median(_ours(path, 1).load_seconds for _ in range(ROUNDS))
    with _not_pinned():
        plain = statistics.median(_ours(path, 1).load_seconds for _ in range(ROUNDS))
    scene.tell(Row(f"{size}: load, pinned", pinned, "s"))
    scene.tell(Row(f"{size}: load, not pinned", plain, "s"))
    scene.promised("load, pinned to not", f"{size}: load, pinned to not", pinned / plain)


def _curve(scene: Scene) -> None:
    """Tell how long answers of several lengths take with and without a graph."""
    lengths = LENGTHS if scene.device.is_real else (4,)
    for size in scene.sizes[:2]:
        pays = []
        for length in lengths:
            with _graphs_from(_NEVER):
                plain = _ours(scene.pytorch(size), length).seconds
            with _graphs_from(0):
                graph = _ours(scene.pytorch(size), length).seconds
            scene.tell(Row(f"{size}: answer of {length}, with a graph to without", graph / plain))
            pays += [length] * (graph <= plain)
        told = pays[0] if pays else "never"
        scene.tell(Row(f"{size}: a graph pays from", told, "tokens", None, _CONSTANT))


_CONSTANT = f"FEWEST_TOKENS is {cuda_graphs.FEWEST_TOKENS}"


def _ours(path: Path, tokens: int) -> Timed:
    inferencer = PyTorchInferencer()
    config = ModelConfig(max_tokens=tokens, do_sample=False, n_ctx=2048, prompt_format="plain")
    began = time.perf_counter()
    inferencer.load_model(str(path), config)
    loaded = time.perf_counter()
    times = [
        time.perf_counter() for piece in inferencer.pieces(PROMPT) if isinstance(piece, TokenText)
    ]
    way = inferencer.way
    inferencer.unload_model()
    _release()
    first, last = times[0], times[-1]
    rate = (len(times) - 1) / (last - first) if len(times) > 1 else 0.0
    return Timed(first - loaded, rate, last - loaded, loaded - began, way)


def _by_generate(path: Path, kind: str, tokens: int) -> Timed:
    """Let transformers' own loop write: one token, then all of them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype="auto").to(kind).eval()
    ids = torch.tensor([tokenizer(PROMPT)["input_ids"]], device=kind)

    def write(count: int) -> float:
        began = time.perf_counter()
        model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, use_cache=True,
            min_new_tokens=count, max_new_tokens=count, pad_token_id=0,
        )  # fmt: skip
        _synchronize(kind)
        return time.perf_counter() - began

    write(2)
    first, whole = write(1), write(tokens)
    rate = (tokens - 1) / max(1e-9, whole - first)
    return Timed(first, rate, whole, 0.0, "generate")


def _median(rounds: list[Timed]) -> Timed:
    return sorted(rounds, key=lambda one: one.rate)[len(rounds) // 2]


def _bandwidth(scene: Scene) -> float:
    """Return what a large copy inside the device moves, read and written, in bytes a second."""
    import torch

    size = _COPY_BYTES if scene.device.is_real else 2**22
    source = torch.ones(size, dtype=torch.uint8, device=scene.device.kind)
    target = torch.empty_like(source)
    target.copy_(source)
    _synchronize(scene.device.kind)
    began = time.perf_counter()
    for _ in range(10):
        target.copy_(source)
    _synchronize(scene.device.kind)
    moved = 20 * size / (time.perf_counter() - began)
    scene.tell(Row("bandwidth of a copy on the device", moved / 1e9, "GB/s"))
    return moved


def _synchronize(kind: str) -> None:
    import torch

    if kind == "cuda":
        torch.cuda.synchronize()


def _release() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextmanager
def _graphs_from(tokens: int) -> Iterator[None]:
    """Record a graph for answers of so many tokens or more."""
    before, cuda_graphs.FEWEST_TOKENS = cuda_graphs.FEWEST_TOKENS, tokens
    try:
        yield
    finally:
        cuda_graphs.FEWEST_TOKENS = before


@contextmanager
def _not_pinned() -> Iterator[None]:
    before: Any = placement.suits_pinned_memory
    placement.suits_pinned_memory = lambda *_arguments: False
    try:
        yield
    finally:
        placement.suits_pinned_memory = before
