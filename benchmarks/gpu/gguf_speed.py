"""GGUF with CUDA: decode beside a bare loop over llama.cpp, and layers chosen from free memory."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from ..company import BARE_LOOP, LIBRARY, PROGRAMS
from ..programs import Program, quiet_environment
from .device import watched
from .device_memory import MEGABYTE
from .models import GGUF_SIZES
from .scene import PROMPT, Scene, asked, ballast, running
from .steps import Row

ROUNDS = 5
_LEFT_BYTES = 1_600 * MEGABYTE  # beside a ballast: less than the larger model needs


def run(scene: Scene) -> None:
    """Measure decode, memory and the choice of layers."""
    for size in GGUF_SIZES:
        _decode(scene, size)
        _memory(scene, size)
    if scene.device.is_real:
        _layers(scene)


def _decode(scene: Scene, size: str) -> None:
    rounds = ROUNDS if scene.device.is_real else 1
    with tempfile.TemporaryDirectory(prefix="gpu-") as places:
        environment = quiet_environment(Path(places))
        contenders = {name: Program(PROGRAMS[name], environment) for name in (LIBRARY, BARE_LOOP)}
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        try:
            for number in range(rounds + 1):
                for name, contender in contenders.items():
                    told = contender.round([scene.gguf(size)], PROMPT, scene.tokens)
                    if number:
                        rates[name].append(float(told["models"][0]["tokens_per_second"]))
        finally:
            for contender in contenders.values():
                contender.close()
    for name, values in rates.items():
        scene.tell(Row(f"{size}: {name}, decode", statistics.median(values), "tok/s"))
    pairs = zip(rates[LIBRARY], rates[BARE_LOOP], strict=True)
    share = statistics.median(ours / max(1e-9, bare) for ours, bare in pairs)
    scene.promised("GGUF decode to the bare loop", f"{size}: ours to the bare loop", share)


def _memory(scene: Scene, size: str) -> None:
    with running() as engine, watched(scene.device) as peak:
        result = asked(engine, scene.gguf(size), 32)
    if result.error:
        raise RuntimeError(result.error)
    told = result.stats.device_memory_usage or 0
    estimated = int(result.receipt["estimated_device_bytes"])
    scene.tell(Row(f"{size}: GGUF, peak by the record", told / MEGABYTE, "MB"))
    scene.tell(Row(f"{size}: GGUF, peak from outside", peak.added / MEGABYTE, "MB"))
    scene.tell(Row(f"{size}: GGUF, estimate", estimated / MEGABYTE, "MB"))


def _layers(scene: Scene) -> None:
    """Fill the device until only some layers fit, and see that some are chosen and it answers."""
    with ballast(scene.device.free_bytes() - _LEFT_BYTES), running() as engine:
        result = asked(engine, scene.gguf(GGUF_SIZES[-1]), 16)
    chosen = result.sent.get("n_gpu_layers", "all")
    scene.tell(Row("layers chosen beside little free memory", str(chosen)))
    word = result.error or "an answer"
    scene.tell(Row("with these layers there is", word[:200], "", not result.error, "an answer"))
