"""Children that say what their libraries are, for ``comparator doctor``."""

from __future__ import annotations

import json

import pytest

from comparator.diagnosis import children


@pytest.mark.parametrize(
    ("job", "library", "words"),
    [
        ("describe_gguf", "llama_cpp", "llama-cpp-python"),
        ("describe_gguf", "xllamacpp", "xllamacpp"),
        ("describe_pytorch", "torch", "2."),
    ],
)
def test_each_library_describes_itself_in_a_child(job: str, library: str, words: str) -> None:
    told = children.ask(job, library, use_gpu=False)
    assert told.trouble == ""
    assert told.sandbox
    assert words in told.described["version"]
    assert told.described["built_with"]
    assert json.dumps(told.described)


def test_a_job_that_fails_is_trouble_in_one_line() -> None:
    told = children.ask("quantize", "llama_cpp", use_gpu=False)
    assert told.described == {}
    assert told.trouble
    assert "\n" not in told.trouble
