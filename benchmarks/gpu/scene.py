"""What every step is given: the device, the models, and how rows are told."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from comparator.core.config import ModelConfig
from comparator.core.models import InferenceResult, ModelInfo, ModelType
from comparator.services.inference_engine import InferenceEngine
from comparator.services.memory_manager import MemoryManager

from ..targets import GPU_TARGETS
from .device import Device
from .steps import Row

PROMPT = "Write a long story about a lighthouse keeper and the sea."
SIZES = ("starter", "1b", "7b")  # of the models, the smallest first


@dataclass(frozen=True)
class Scene:
    """The scene of all steps; small with a stand-in, so that a CPU is done in seconds.

    Attributes:
        device: what is looked at.
        folder: where the models lie.
        carried: the folder of ``scripts/gpu_carry``; None for none.
        tell: takes a row as soon as it is known.
    """

    device: Device
    folder: Path
    carried: Path | None
    tell: Callable[[Row], None]
    sizes: tuple[str, ...] = field(default=SIZES)

    def promised(self, target: str, what: str, value: float, unit: str = "") -> None:
        """Tell a value for which there is a promise; on a stand-in it counts for nothing."""
        promise = GPU_TARGETS[target]
        is_right = promise.is_met(value) if self.device.is_real else None
        self.tell(Row(what, value, unit, is_right, promise.in_words(unit)))

    @property
    def tokens(self) -> int:
        """How long the answers are that are timed, in tokens."""
        return 256 if self.device.is_real else 12

    def pytorch(self, size: str) -> Path:
        """Return the folder of a model."""
        return self.folder / f"pytorch-{size}"

    def gguf(self, size: str) -> Path:
        """Return the GGUF file of a model, as Q8_0."""
        return self.folder / f"gguf-{size}.Q8_0.gguf"


def model_of(path: Path) -> ModelInfo:
    """Return a model of one of the two kinds as the library takes it."""
    if path.is_dir():
        size = sum(file.stat().st_size for file in path.glob("*.safetensors"))
        return ModelInfo("", path.name, str(path), ModelType.PYTORCH, size)
    return ModelInfo("", path.stem, str(path), ModelType.GGUF, path.stat().st_size)


@contextmanager
def running(is_strict: bool = True) -> Iterator[InferenceEngine]:
    """Yield an engine that is cleaned up; one that is not strict lets run what cannot fit."""
    engine = InferenceEngine(MemoryManager(enforce=is_strict))
    try:
        yield engine
    finally:
        engine.cleanup_resources()


@contextmanager
def holding(code: str) -> Iterator[None]:
    """Run a process that computes, prints a line, and lasts as long as the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys, torch\n{code}\nsys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def ballast(size: int) -> AbstractContextManager[None]:
    """Let a process hold so many bytes of the GPU while the block lasts."""
    return holding(
        f"x = torch.empty({max(0, size)}, dtype=torch.uint8, device='cuda')\n"
        "print(len(x), flush=True)"
    )


def asked(
    engine: InferenceEngine, path: Path, tokens: int, prompt: str = PROMPT, **settings: object
) -> InferenceResult:
    """Ask one model greedily and return its whole result."""
    model = model_of(path)
    values = {"max_tokens": tokens, "do_sample": False, "n_ctx": 2048, **settings}
    config = ModelConfig(**values)  # type: ignore[arg-type]
    *_, results = engine.run_inference(prompt, [model], {model.id: config})
    return results[model.id]


def seconds_until(holds: Callable[[], bool], most: float) -> float:
    """Return how long it took until something held; at most so long."""
    began = time.monotonic()
    while not holds() and time.monotonic() - began < most:
        time.sleep(0.005)
    return time.monotonic() - began
