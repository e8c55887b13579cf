"""Why llama.cpp refused a file, in words: also for which program the file was made."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from runners.engines.gguf import library

LLAMA = SimpleNamespace(__name__="llama_cpp", __version__="9.9")


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    library.forget_errors()
    yield
    library.forget_errors()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "llama_model_load: error loading model: unknown model architecture: 'gptoss'",
            "what Ollama's own engine calls its architecture (llama.cpp's is 'gpt-oss')",
        ),
        (
            "error loading model: unknown model architecture: 'new'",
            "The architecture 'new' of m.gguf is not known to llama.cpp (llama-cpp-python 9.9).",
        ),
        (
            "gguf_init: tensor 'blk.0.x' has invalid ggml type 139. should be in [0, 43)",
            "IQ4_K, a type of ik_llama.cpp",
        ),
        (
            "gguf_init: tensor 'blk.0.x' has invalid ggml type 99. should be in [0, 43)",
            "a type that llama.cpp (llama-cpp-python 9.9) does not know (number 99)",
        ),
        (
            "done_getting_tensors: wrong number of tensors; expected 444, got 883",
            "hold the part for images too",
        ),
        (
            "llama_model_load: error loading model: tensor 'output_norm.weight' not found",
            "tensor 'output_norm.weight' not found",
        ),
    ],
)
def test_a_refusal_says_for_which_program_a_file_is(line: str, words: str) -> None:
    library._Log.errors.append(line)
    assert words in str(library.load_failure("m.gguf", LLAMA))


def test_missing_tensors_are_no_other_programs_file() -> None:
    library._Log.errors.append("wrong number of tensors; expected 300, got 200")
    assert "images" not in str(library.load_failure("m.gguf", LLAMA))
