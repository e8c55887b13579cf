"""What a real child said last becomes the sentence of its column, and stays in its record."""

from __future__ import annotations

import os
import signal
from collections import deque

import pytest

from comparator.core.exceptions import ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.services.inference_engine import InferenceEngine
from runners.base import BaseInferencer


def say(line):
    os.write(2, f"{line}\n".encode())


def native_allocation_fails():
    say("llama_kv_cache: failed to allocate buffer for kv cache")
    raise ModelLoadError("m could not get a context of 4096 tokens.")


def device_allocation_fails():
    say("ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed: out of memory")
    raise ModelLoadError("llama.cpp cannot load m.")


def device_raises():
    raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 1 GiB free.")


def host_raises():
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")


def library_is_missing():
    import no_such_library_anywhere  # noqa: F401


def uncaught_exception():
    say("terminate called after throwing an instance of 'std::bad_alloc'")
    os.abort()


def assertion():
    say("/src/ggml.c:7: GGML_ASSERT(n_layer > 0) failed")
    os.abort()


def other_processor():
    os.kill(os.getpid(), signal.SIGILL)


def exit_with_a_reason():
    say("error loading model: the file is for another program")
    os._exit(7)


# what happens -> error_kind, what the sentence says
ENDS = {
    native_allocation_fails: (
        "out_of_memory",
        (" MB, and ", "context of 4096 tokens", "(n_ctx)"),
    ),
    device_allocation_fails: ("out_of_memory", ("Not enough memory on the GPU.", "n_gpu_layers")),
    device_raises: ("out_of_memory", ("Not enough memory on the GPU (CUDA out", "use_gpu")),
    host_raises: ("out_of_memory", ("Not enough memory: it needs about", "B was available")),
    library_is_missing: ("load", ("pip install no_such_library_anywhere.",)),
    uncaught_exception: ("out_of_memory", ("SIGABRT since memory ran out", "std::bad_alloc")),
    assertion: ("crashed", ("SIGABRT", "GGML_ASSERT(n_layer > 0) failed")),
    other_processor: ("crashed", ("SIGILL", "reinstall it here")),
    exit_with_a_reason: ("crashed", ("exited with code 7", "for another program")),
}


def last_words(act):
    class Actor(BaseInferencer):
        def load_model(self, model_path, config):
            act()

        def generate_stream(self, prompt):
            yield prompt

        def unload_model(self): ...

        def get_model_info(self):
            return {}

    engine = InferenceEngine()
    engine.register_inferencer_factory(lambda model: Actor())
    model = ModelInfo("", "m", "/nowhere", ModelType.CUSTOM, 0)
    (results,) = deque(engine.run_inference("hello", [model]), maxlen=1)
    return results[model.id]


@pytest.mark.parametrize("act", ENDS, ids=lambda act: act.__name__)
def test_each_end_has_its_kind_and_its_sentence(act):
    result = last_words(act)
    kind, parts = ENDS[act]
    assert result.error_kind == kind, result.error
    for part in parts:
        assert part in result.error
    assert result.error.endswith(".")
    assert "\n" not in result.error


def test_the_last_200_lines_are_kept_with_the_record():
    def chatter():
        for number in range(1000):
            say(f"line {number}")
        os.abort()

    result = last_words(chatter)
    lines = result.to_record()["log_tail"].splitlines()
    assert lines == [f"line {number}" for number in range(800, 1000)]
