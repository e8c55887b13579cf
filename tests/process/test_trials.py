"""Stand-ins for llama.cpp's library that die at their first decode, or compute wrong numbers.

Both end in an answer with safe settings and a sentence, in the library and on the command line.
The stand-in is a package first on the import path of a program of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cases import slow

from tests.support import standin_llama

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 240
REAL_VOCABULARY = 10_000  # more tokens than a tiny model of a trial has

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the stand-in is made for Linux"),
    pytest.mark.skipif(standin_llama.compiler() is None, reason="there is no C compiler"),
]

ASK = """
import dataclasses, json, os, sys
from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo, ModelType
from comparator.services.inference_engine import InferenceEngine
from runners import registry
path, safer = sys.argv[1], int(sys.argv[2])
gguf = registry.ENGINES["gguf"]
registry.ENGINES["gguf"] = dataclasses.replace(gguf, trial=gguf.trial[safer:])
model = ModelInfo("", "m", path, ModelType.GGUF, os.path.getsize(path))
engine = InferenceEngine()
config = ModelConfig(max_tokens=6, do_sample=False, n_ctx=512, n_threads=1)
for results in engine.run_inference("Say yes.", [model], {model.id: config}):
    pass
print(json.dumps([result.to_record() for result in results.values()]))
engine.cleanup_resources()
"""

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(starter_models: dict[str, str], tmp_path: Path) -> Run:
    """Ask a small model in a program whose llama.cpp is a stand-in; return its record."""

    def run(
        folder: Path | None, how: str = "library", safer: int = 0, **variables: str
    ) -> dict[str, Any]:
        path = starter_models["gguf_q2_k"]
        command = {
            "library": [sys.executable, "-c", ASK, path, str(safer)],
            "command line": [
                *(sys.executable, "-m", "comparator", "run", "-m", path, "-p", "Say yes."),
                *("--max-tokens", "6", "--greedy", "--ctx-size", "512", "-o", "json"),
            ],
        }[how]
        before = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        places = [*([str(folder)] if folder else []), str(REPOSITORY)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            cwd=tmp_path,
            env={
                **before,
                "PYTHONPATH": os.pathsep.join(places),
                "COMPARATOR_CACHE_DIR": str(tmp_path / "cache"),
                "COMPARATOR_DATA_DIR": str(tmp_path / "data"),
                **variables,
            },
        )
        assert done.returncode in (0, 1), done.stderr
        (record,) = json.loads(done.stdout)
        return {**record, "told": done.stderr}

    return run


def _answered(record: dict[str, Any]) -> list[str]:
    """Return what was off in a run that answered."""
    assert record["error"] is None, record["log_tail"]
    assert record["stats"]["token_count"] > 0
    assert record["content"].strip()
    assert record["engine"]["way"] == "llama.cpp"
    sentences: list[str] = record["engine"]["fallbacks"]
    return sentences


@pytest.mark.parametrize(
    ("dies", "how"),
    [
        (True, "library"),
        (False, "command line"),
        slow(True, "command line"),
        slow(False, "library"),
    ],
)
def test_a_library_with_a_fault_answers_with_safe_settings_and_says_so(
    ask: Run, tmp_path: Path, dies: bool, how: str
) -> None:
    folder = standin_llama.make(tmp_path / "standin", dies=dies)
    record = ask(folder, how)
    (sentence,) = _answered(record)
    assert "extra buffer types" in sentence
    assert ("died by SIGSEGV at its first decode" if dies else "wrong numbers") in sentence
    assert "./scripts/start --rebuild" in sentence
    assert "pip install" in sentence
    if how == "command line":
        assert sentence in record["told"]


def test_the_answer_is_that_of_the_whole_library(ask: Run, tmp_path: Path) -> None:
    """With the same settings: other buffers add numbers up in another order."""
    wrong = ask(standin_llama.make(tmp_path / "standin", dies=False))
    whole = ask(None, safer=1)
    assert _answered(whole) == []
    assert _answered(wrong) != []
    assert wrong["content"] == whole["content"]


def test_flash_attention_is_given_up_after_the_buffers(ask: Run, tmp_path: Path) -> None:
    folder = standin_llama.make(tmp_path / "standin", dies=True, when_extra=False, when_flash=True)
    (sentence,) = _answered(ask(folder))
    assert "extra buffer types" in sentence
    assert "flash attention" in sentence


def test_the_other_build_answers_where_no_settings_are_right(ask: Run, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    folder = standin_llama.make(tmp_path / "standin", dies=True, when_extra=False)
    record = ask(folder)
    (sentence,) = _answered(record)
    assert sentence.startswith("GGUF models run on xllamacpp: llama-cpp-python died by SIGSEGV")
    assert "xllamacpp" in record["engine"]["name"]


def test_a_pinned_build_whose_settings_are_all_wrong_is_told(ask: Run, tmp_path: Path) -> None:
    folder = standin_llama.make(tmp_path / "standin", dies=False, when_extra=False)
    record = ask(folder, COMPARATOR_GGUF_ENGINE="llama_cpp")
    (sentence,) = record["engine"]["fallbacks"]
    assert sentence.startswith("No settings of llama.cpp gave right numbers on this machine: ")
    assert "do not trust what it answers" in sentence


def test_a_first_decode_that_dies_all_the_same_is_tried_again_and_remembered(
    ask: Run, tmp_path: Path
) -> None:
    folder = standin_llama.make(tmp_path / "standin", dies=True, least_vocabulary=REAL_VOCABULARY)
    (sentence,) = _answered(ask(folder))
    assert sentence.startswith("llama.cpp died by SIGSEGV while it read the prompt, so this model")
    assert "once more with the safest settings" in sentence
    (sentence,) = _answered(ask(folder))
    assert "when this model ran here before, so it runs with the safest settings" in sentence


def test_a_decode_that_dies_with_safe_settings_too_is_told_as_it_was(
    ask: Run, tmp_path: Path
) -> None:
    folder = standin_llama.make(
        tmp_path / "standin", dies=True, when_extra=False, least_vocabulary=REAL_VOCABULARY
    )
    record = ask(folder)
    assert record["error_kind"] == "crashed"
    assert "SIGSEGV" in record["error"]
    assert record["stats"]["token_count"] == 0
    (sentence,) = record["engine"]["fallbacks"]
    assert "once more with the safest settings" in sentence
    # It is no better with them, so that nothing is remembered.
    (sentence,) = ask(folder)["engine"]["fallbacks"]
    assert "once more" in sentence
