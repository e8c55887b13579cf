"""The examples of the API document, run as they stand in ``examples/``, without a main guard.

Only the folder differs: each runs in a directory whose ``models`` is the starter set.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from one_core import on_one_core

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = Path(__file__).parent / "examples"

IMPORTS = """
from typing import Any, Dict, Iterator
from multi_llm_comparator.core.exceptions import (
    ConfigurationError, InferenceError, ModelLoadError, ModelNotFoundError, MultiLLMError,
)
from multi_llm_comparator.core.models import ModelConfig, ModelInfo, ModelType
from multi_llm_comparator.inferencers.base import BaseInferencer
from multi_llm_comparator.services.inference_engine import InferenceEngine
from multi_llm_comparator.services.model_manager import ModelManager

model_manager = ModelManager("models")
inference_engine = InferenceEngine()
"""


def example(name: str) -> str:
    return (EXAMPLES / f"{name}.txt").read_text("utf-8")


@pytest.fixture
def run(tmp_path: Path, starter_models_dir: Path) -> Callable[..., str]:
    """Run a user's script beside a folder ``models`` and return what it prints."""

    def play(source: str, noisy: bool = False) -> str:
        (tmp_path / "models").symlink_to(starter_models_dir)
        (tmp_path / "example.py").write_text(source, "utf-8")
        done = subprocess.run(
            [sys.executable, "example.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            timeout=500,
            preexec_fn=on_one_core,
        )
        assert done.returncode == 0, done.stderr
        assert noisy or done.stderr == ""
        return done.stdout

    return play


@pytest.mark.timeout(600)  # 1024 tokens
def test_the_basic_example(run):
    printed = run(example("basic"))
    assert printed.startswith("Found 4 models\n")
    assert len(set(re.findall(r"^Model (\w{8}): .", printed, re.MULTILINE))) == 2
    completed = re.findall(r"^Model (\w{8}) completed in \d+\.\d\ds$", printed, re.MULTILINE)
    assert len(set(completed)) == 2


@pytest.mark.timeout(600)
def test_the_advanced_example(run):
    """It goes on with the names of the basic one; here they stand for shorter answers."""
    names = """
models = model_manager.scan_models()
model_manager.select_models([models[0].id, models[1].id])
selected_models = model_manager.get_selected_models()
configs = {model.id: ModelConfig(max_tokens=32) for model in models}
"""
    _, *prompts = run(IMPORTS + names + example("advanced")).split("=== Prompt: ")
    assert len(prompts) == 3
    for part in prompts:
        assert "Error in" not in part
        numbers = re.findall(r"^(\w{8}): (\d+) tokens, (\d+\.\d\d) t/s$", part, re.MULTILINE)
        assert len({model for model, _, _ in numbers}) == 2
        assert all(int(tokens) > 0 and float(speed) > 0 for _, tokens, speed in numbers)


def test_the_error_handling_example(run):
    preamble = IMPORTS + 'prompt = "hello"\nconfigs = {}\n'
    assert run(preamble + example("errors").replace("pass", "break")) == ""


def test_the_error_handling_example_with_errors(run):
    preamble = IMPORTS.replace('ModelManager("models")', 'ModelManager("elsewhere")')
    preamble += 'prompt = "hello"\nconfigs = {}\nmodels = []\n'
    printed = run(preamble + example("errors"))
    assert "No models found: There is no models folder at elsewhere." in printed
    assert "Configuration error: Choose at least one model." in printed


def test_the_custom_inferencer_example(run):
    printed = run(
        IMPORTS
        + example("custom")
        + """
model = ModelInfo("", "mine", "/nowhere", ModelType.CUSTOM, 0, {})
print(type(inference_engine.create_inferencer(model)).__name__)
for results in inference_engine.run_inference("hello", [model], {}):
    pass
(result,) = results.values()
print(result.is_complete, result.error_kind)
print(result.error)

class Better(CustomInferencer):
    def generate_stream(self, prompt):
        yield from prompt.split()

better = InferenceEngine()
better.register_inferencer_factory(lambda model_info: Better())
for results in better.run_inference("hello world", [model], {}):
    pass
print(results[model.id].content)
"""
    )
    name, state, error, content = printed.splitlines()
    assert name == "CustomInferencer"
    assert state == "True inference", "its generate_stream yields nothing at all"
    assert "NoneType" in error
    assert content == "helloworld"


def test_inferencers_for_use_in_this_process(run):
    printed = run(
        IMPORTS
        + """
from dataclasses import asdict

for model in model_manager.scan_models():
    if "Q2" in model.name or "Q8" in model.name:
        continue
    inferencer = inference_engine.create_inferencer(model)
    assert inferencer.model is None and not inferencer.is_model_loaded()
    inferencer.load_model(model.path, asdict(ModelConfig(max_tokens=8, do_sample=False)))
    assert inferencer.is_model_loaded()
    fragments = list(inferencer.generate_stream("Say hello."))
    info = inferencer.get_model_info()
    inferencer.unload_model()
    assert inferencer.get_model_info() == {} and inferencer.model is None
    print(type(inferencer).__name__, info["model_type"], bool("".join(fragments).strip()))
""",
        noisy=True,  # llama.cpp tells its load on the standard error of this process
    )
    assert sorted(printed.splitlines()) == [
        "GGUFInferencer gguf True",
        "PyTorchInferencer pytorch True",
    ]
