"""Several answers decoded at once, beside one by one, in both engines."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from comparator.comparison.assignments import files_of
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from runners import protocol
from runners.process import Deadlines, executors_here

from .scene import PROMPT, Scene, model_of
from .steps import Row

SIZES = (1, 8, 32)  # answers at once
PROMISED = 8
_SECONDS = 120.0


def run(scene: Scene) -> None:
    """Measure every size on both engines."""
    sizes = SIZES if scene.device.is_real else SIZES[:2]
    for path in (scene.pytorch(scene.sizes[1]), scene.gguf(scene.sizes[1])):
        single = 0.0
        for size in sizes:
            rate = _rate(path, size, scene.tokens)
            single = single or rate
            kind = "GGUF" if path.is_file() else "PyTorch"
            scene.tell(Row(f"{kind}, {size} at once, all together", rate, "tok/s"))
            ratio, told = rate / max(1e-9, single), f"{kind}, {size} at once, to one by one"
            if size == PROMISED:
                scene.promised(f"{size} {kind} answers to one by one", told, ratio)
            else:
                scene.tell(Row(told, ratio))


def _rate(path: Path, size: int, tokens: int) -> float:
    """Return the tokens a second of all answers together, from the first token to the last.

    Raises:
        RuntimeError: the run failed.
    """
    model = model_of(path)
    conversations = tuple(Conversation.of(f"{PROMPT} Part {n}.") for n in range(max(size, 4)))
    config = ModelConfig(max_tokens=tokens, do_sample=False, n_ctx=1024)
    work = protocol.Answer(model, config, conversations, batch=size)
    assignment = protocol.Assignment(work, started=time.monotonic(), readable=files_of(model))
    seconds: list[float] = []
    final: list[protocol.Message] = []
    over = threading.Event()

    def deliver(message: protocol.Message) -> None:
        if isinstance(message, protocol.Token):
            seconds.append(message.seconds)
        elif isinstance(message, protocol.FINAL):
            final.append(message)
            over.set()

    executor = executors_here(Deadlines())(assignment)
    executor.start(assignment, deliver)
    over.wait(_SECONDS)
    executor.stop()
    executor.join(_SECONDS)
    if not final or not isinstance(final[0], protocol.Finished) or len(seconds) < 2:
        raise RuntimeError(f"It did not answer: {final[:1]}")
    return (len(seconds) - 1) / max(1e-9, seconds[-1] - seconds[0])
