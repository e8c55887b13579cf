"""Memory that runs out ends one column by a sentence with numbers, and never the program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import pytest
from cases import slow

from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo, ModelType, RunState
from comparator.core.units import fine_size
from comparator.services.inference_engine import InferenceEngine
from comparator.services.memory_manager import MemoryManager
from runners import protocol
from runners.base import BaseInferencer

REPOSITORY = Path(__file__).resolve().parents[2]
FIRST_GROUP = Path("/sys/fs/cgroup/memory")


MOST_BYTES = 2_000_000_000  # no test may take more, should the ceiling ever be missing


def objects():
    kept = []
    for number in range(MOST_BYTES // 1100):
        kept.append("x" * 1000 + str(number))


def buffers():
    kept = []
    for _ in range(MOST_BYTES // 16_000_000):
        kept.append(bytearray(16_000_000))


def tensors():
    import torch

    kept = []
    for _ in range(MOST_BYTES // 32_000_000):
        kept.append(torch.empty(8_000_000))


def failing_native_code():
    """Do what C++ does whose allocation fails and who catches nothing."""
    import ctypes

    malloc = ctypes.CDLL(None).malloc
    malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    for _ in range(MOST_BYTES // 16_000_000):
        if not malloc(16_000_000):
            os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
            os.abort()


def factory_of(eat):
    class Eater(BaseInferencer):
        def load_model(self, model_path, config):
            eat()

        def generate_stream(self, prompt):
            yield prompt

        def unload_model(self): ...

        def get_model_info(self):
            return {}

    return lambda model: Eater() if "eater" in model.name else None


@pytest.mark.parametrize("eat", [objects, buffers, tensors, failing_native_code])
def test_a_child_over_its_ceiling_says_so_and_the_next_model_answers(echo_model, eat):
    engine = InferenceEngine(MemoryManager(max_memory_gb=0.6))
    engine.register_inferencer_factory(factory_of(eat))
    eater = ModelInfo("", "eater", "/nowhere", ModelType.CUSTOM, 0)
    (results,) = deque(engine.run_inference("hello", [eater, echo_model()]), maxlen=1)
    starved, healthy = results.values()
    assert starved.state is RunState.FAILED
    assert starved.error_kind == "out_of_memory", starved.error
    needed = MemoryManager().estimate(eater).host
    assert f"needs about {fine_size(needed)}" in starved.error
    assert "600 MB was available" in starved.error
    assert "Choose a smaller quantisation" in starved.error
    assert healthy.content == "hello"
    assert starved.stats.memory_usage < MOST_BYTES, "it was ended on the way"


def test_a_ceiling_of_nothing_is_none(begin, echo_model, wait_until):
    played = begin(echo_model(tokens=4000, tokens_per_second=50))
    assert wait_until(lambda: played.seen(protocol.Token))
    limits = Path(f"/proc/{played.run.pid}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max data size")]
    assert line.split()[3:5] == ["unlimited", "unlimited"]
    played.run.stop()
    played.to_end()


def test_an_engines_child_has_a_ceiling_and_a_raised_score(echo_model, wait_until):
    """When the machine runs out, the system kills the model's process and not the page."""
    engine = InferenceEngine(MemoryManager(max_memory_gb=1))
    model = echo_model(tokens=4000, tokens_per_second=50)
    comparison = engine.compare(engine.request("one two", [model]))
    try:
        (pid,) = wait_until(comparison.pids)
        score = Path(f"/proc/{pid}/oom_score_adj")
        assert wait_until(lambda: score.read_text().strip() == "1000")
        assert int(Path("/proc/self/oom_score_adj").read_text()) < 1000

        def ceiling():
            lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
            return next(line for line in lines if line.startswith("Max data size")).split()[3]

        assert wait_until(lambda: ceiling() != "unlimited")
        assert 10**9 < int(ceiling()) < 4 * 10**9
    finally:
        engine.finish(comparison)


def test_an_override_has_no_ceiling(echo_model):
    engine = InferenceEngine(MemoryManager(0.05, enforce=False))
    request = engine.admitted(engine.request("hi", [echo_model()]))
    assert request.slots[0].memory_limit_bytes == 0


@pytest.mark.parametrize("key", ["gguf_q4_1", "pytorch", slow("gguf_q8_0"), slow("gguf_q2_k")])
def test_the_starter_models_run_under_a_ceiling_just_above_their_need(starter_models, key):
    path = starter_models[key]
    kind = ModelType.PYTORCH if Path(path).is_dir() else ModelType.GGUF
    size = sum(f.stat().st_size for f in Path(path).glob("*.safetensors")) or (
        Path(path).stat().st_size
    )
    model = ModelInfo("", key, path, kind, size)
    need = MemoryManager().estimate(model)
    engine = InferenceEngine(MemoryManager(max_memory_gb=need.host * 1.05 / 1e9))
    (results,) = deque(
        engine.run_inference("Hello", [model], {model.id: ModelConfig(max_tokens=3)}), maxlen=1
    )
    result = results[model.id]
    # It is sampled, so a model may end by itself before its three tokens are written.
    assert result.error is None
    assert result.stats.finish_reason in ("length", "stop")
    assert result.stats.memory_usage < need.peak * 1.15


OVEREATER = """
import sys
from pathlib import Path
with open(sys.argv[1] + "/cgroup.procs", "w") as file:
    file.write("0")
from comparator.core.models import ModelInfo, ModelType
from comparator.services.inference_engine import InferenceEngine
from comparator.services.memory_manager import MemoryManager
from runners.base import BaseInferencer

class Eater(BaseInferencer):
    def load_model(self, model_path, config):
        kept = [b"x" * 16_000_000 for _ in range(60)]
    def generate_stream(self, prompt):
        yield prompt
    def unload_model(self):
        pass
    def get_model_info(self):
        return {}

manager = MemoryManager(enforce=False)
print(manager.total_bytes(), flush=True)
engine = InferenceEngine(manager)
engine.register_inferencer_factory(lambda model: Eater() if model.name == "eater" else None)
models = [ModelInfo("", "eater", "/nowhere", ModelType.CUSTOM, 250_000_000),
          ModelInfo("", "echo", sys.argv[2], ModelType.ECHO, 1)]
for results in engine.run_inference("hello", models):
    pass
eater, echo = results.values()
print(eater.error_kind, "|", eater.error, flush=True)
print(echo.content, flush=True)
"""


@pytest.fixture
def small_group():
    """A control group of 300 MB, where this user may make one."""
    group = FIRST_GROUP / f"comparator-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        (group / "memory.limit_in_bytes").write_text("300000000")
        yield group
    finally:
        for _ in range(100):
            try:
                group.rmdir()
            except OSError:
                time.sleep(0.05)
            else:
                break


def test_the_systems_memory_killer_takes_the_child_and_not_the_program(small_group, echo_model):
    done = subprocess.run(
        [sys.executable, "-c", OVEREATER, str(small_group), echo_model().path],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    total, told, answer = done.stdout.splitlines()
    assert 290_000_000 < int(total) <= 300_000_000
    kind, _, sentence = told.partition(" | ")
    assert kind == "out_of_memory"
    assert "SIGKILL" in sentence
    assert "memory killer: it needs about " in sentence
    # How little it was at that moment is the machine's matter: 8 kB were seen, and 40 MB.
    assert re.search(rf"at the last look \S+ \S+ of {fine_size(int(total))} was left", sentence)
    assert answer == "hello"
