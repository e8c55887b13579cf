"""What a run got of the processor is measured in its own process, and said where it is too little.

Nothing is held of a quiet machine here: whether this one is quiet nobody knows.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from comparator.core.models import InferenceResult, ModelInfo, ModelType
from comparator.services.inference_engine import InferenceEngine
from runners.base import BaseInferencer

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems count no waits"
)
NEIGHBOURS_EACH = 2  # loops on each core, so that a run gets about a third
LOOP = "print('busy', flush=True)\nwhile True: pass"


class Calculating(BaseInferencer):
    """Takes processor time for every token, as a model does."""

    def load_model(self, model_path: str, config: dict[str, Any]) -> None:
        self.is_loaded = True

    def generate_stream(self, prompt: str) -> Iterator[str]:
        for _ in range(8):
            end = time.thread_time() + 0.1
            while time.thread_time() < end:
                pass
            yield "word "

    def unload_model(self) -> None:
        self.is_loaded = False

    def get_model_info(self) -> dict[str, Any]:
        return {}


@contextlib.contextmanager
def busy_neighbours() -> Iterator[None]:
    count = NEIGHBOURS_EACH * len(os.sched_getaffinity(0))
    # Each in a session of its own: a kernel that groups by sessions gives all those of one session
    # together no more than a model alone.
    loops = [
        subprocess.Popen(
            [sys.executable, "-c", LOOP], stdout=subprocess.PIPE, start_new_session=True
        )
        for _ in range(count)
    ]
    try:
        for loop in loops:
            assert loop.stdout is not None
            assert loop.stdout.readline() == b"busy\n"
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.communicate()


def asked(models: int = 1, together: bool = False) -> list[InferenceResult]:
    engine = InferenceEngine()
    engine.register_inferencer_factory(lambda _model: Calculating())
    model = ModelInfo("", "custom", "/nowhere", ModelType.CUSTOM, 0)
    try:
        *_, results = engine.run_inference("hi", [model] * models, together=together)
    finally:
        engine.cleanup_resources()
    return list(results.values())


@pytest.mark.slow  # it keeps all cores from the tests beside it
def test_a_busy_neighbour_is_seen_and_said() -> None:
    with busy_neighbours():
        (result,) = asked()
    assert result.error is None
    stats = result.to_record()["stats"]
    if stats["cpu_share"] is None:
        pytest.skip("this system counts no waits")
    assert 0 < stats["cpu_share"] < 0.9
    assert "decode" in stats["disturbed"]
    assert "of the processor" in (result.notice or "")
    assert "it would have been faster" in (result.notice or "")
    assert result.receipt["processor"]["decode"]["others_seconds"] > 0


def test_models_that_run_at_once_say_that_speeds_are_shared() -> None:
    for result in asked(2, together=True):
        assert result.error is None
        assert "ran at once with another model, so its speed is shared" in (result.notice or "")
        share = result.stats.cpu_share
        assert share is None or 0 < share <= 1
