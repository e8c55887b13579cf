"""Jobs that make model files of other model files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comparator.core.exceptions import ConfigurationError, ModelLoadError
from runners.model_making import quantize

pytest.importorskip("llama_cpp")


def ignore(*_: object) -> None:
    return None


def never() -> bool:
    return False


def test_missing_source_is_refused(tmp_path: Path) -> None:
    arguments = {"source": str(tmp_path / "x.gguf"), "target": str(tmp_path / "y"), "type": "Q8_0"}
    with pytest.raises(ModelLoadError, match="No file at"):
        quantize(arguments, ignore, never)


@pytest.mark.model
def test_unknown_type_is_refused_with_those_there_are(
    tmp_path: Path, starter_models: dict[str, str]
) -> None:
    source = str(starter_models["gguf_q4_1"])
    arguments = {"source": source, "target": str(tmp_path / "y"), "type": "Q9"}
    with pytest.raises(ConfigurationError, match=r"no quantisation 'Q9'.*Q4_K_M.*Q8_0"):
        quantize(arguments, ignore, never)


@pytest.mark.model
def test_stopped_job_writes_nothing(tmp_path: Path, starter_models: dict[str, str]) -> None:
    target = tmp_path / "y.gguf"
    arguments = {"source": str(starter_models["gguf_q4_1"]), "target": str(target), "type": "Q8_0"}
    with pytest.raises(ModelLoadError, match="stopped"):
        quantize(arguments, ignore, lambda: True)
    assert not target.exists()


@pytest.mark.model
def test_quantised_file_is_a_model(
    tmp_path: Path, starter_models: dict[str, str], capfd: Any
) -> None:
    from runners.gguf_model import GGUFModel

    reports: list[tuple[str, float, float]] = []
    target = tmp_path / "small.gguf"
    arguments = {"source": str(starter_models["gguf_q4_1"]), "target": str(target), "type": "q2_k"}
    quantize(arguments, lambda *report: reports.append(report), never)
    model = GGUFModel.load(str(target))
    assert "Q2_K" in model.description
    model.close()
    assert reports[-1][1] == reports[-1][2]
