"""Stop at every stage until the device's memory is back, and SIGKILL of the whole program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from comparator.comparison.comparison import Comparison
from comparator.comparison.request import Request
from comparator.core.config import ModelConfig
from comparator.core.models import InferenceResult, RunState
from comparator.services.inference_engine import InferenceEngine

from .device_memory import MEGABYTE, SLACK_BYTES
from .scene import PROMPT, Scene, asked, model_of, running, seconds_until
from .steps import Row

_REACHED_SECONDS = 60.0
_BACK_MOST_SECONDS = 10.0
LONG_PROMPT = "The keeper wrote down the wind, the tide and the ships that passed. " * 500
_STAGES = ("load", "prompt", "decode")


def run(scene: Scene) -> None:
    """Stop the largest model at each stage, then kill a program that writes."""
    path = scene.pytorch(scene.sizes[-1])
    with running() as engine:
        asked(engine, scene.pytorch("starter"), 2)  # so that its engine's server is there before
        for stage in _STAGES:
            _stop(scene, engine, path, stage)
    _kill(scene, path)


def _stop(scene: Scene, engine: InferenceEngine, path: Path, stage: str) -> None:
    before = scene.device.used_bytes()
    comparison = engine.compare(_request(engine, path, stage))
    _wait_for(comparison, stage)
    held = scene.device.used_bytes() - before
    comparison.stop()
    seconds = seconds_until(
        lambda: comparison.has_ended and scene.device.used_bytes() <= before + SLACK_BYTES,
        _BACK_MOST_SECONDS,
    )
    engine.finish(comparison)
    what = f"stop in {stage}, with {held / MEGABYTE:.0f} MB held, until they are back"
    scene.promised("stop until memory is back", what, seconds, "s")


def _request(engine: InferenceEngine, path: Path, stage: str) -> Request:
    model = model_of(path)
    config = ModelConfig(max_tokens=4096, do_sample=False, n_ctx=8192, prompt_format="plain")
    prompt = LONG_PROMPT[:20_000] if stage == "prompt" else PROMPT
    return engine.request(prompt, [model], {model.id: config})


def _wait_for(comparison: Comparison, stage: str) -> None:
    """Wait until a run is in the middle of a stage, or already beyond it."""
    end = time.monotonic() + _REACHED_SECONDS
    while not comparison.is_complete and time.monotonic() < end:
        comparison.drain(0.01)
        if _has_reached(comparison.status(0), stage):
            return


def _has_reached(result: InferenceResult, stage: str) -> bool:
    if stage == "load":
        return result.state is RunState.LOADING and bool(result.progress)
    if stage == "prompt":
        return result.state is RunState.READING
    return result.stats.token_count > 4


def _kill(scene: Scene, path: Path) -> None:
    """Kill a program with SIGKILL while its model writes."""
    before = scene.device.used_bytes()
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        f"from {__package__} import scene\n"
        "with scene.running() as engine:\n"
        "    model = scene.model_of(Path(sys.argv[1]))\n"
        "    config = scene.ModelConfig(max_tokens=4096, do_sample=False)\n"
        "    for results in engine.run_inference(scene.PROMPT, [model], {model.id: config}):\n"
        "        if results[model.id].stats.token_count > 4:\n"
        "            print('writes', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    held = scene.device.used_bytes() - before
    os.kill(process.pid, signal.SIGKILL)
    seconds = seconds_until(
        lambda: scene.device.used_bytes() <= before + SLACK_BYTES, _BACK_MOST_SECONDS
    )
    process.wait()
    process.stdout.close()
    is_right = seconds < _BACK_MOST_SECONDS if scene.device.is_real else None
    what = f"SIGKILL of the program, with {held / MEGABYTE:.0f} MB held, until they are back"
    scene.tell(Row(what, seconds, "s", is_right, "all of it"))
