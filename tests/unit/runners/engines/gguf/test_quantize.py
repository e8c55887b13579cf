"""Jobs that make model files of other model files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from wide_gguf import write_wide_gguf

from comparator.core.exceptions import ConfigurationError, ModelLoadError
from comparator.formats.gguf_header import read_metadata
from runners.engines.gguf.quantize import MAKER, _measured, measure, quantize

pytest.importorskip("llama_cpp")


def ignore(*_: object) -> None:
    return None


def never() -> bool:
    return False


def test_missing_source_is_refused(tmp_path: Path) -> None:
    arguments = {"source": str(tmp_path / "x.gguf"), "target": str(tmp_path / "y"), "type": "Q8_0"}
    with pytest.raises(ModelLoadError, match="No file or folder at"):
        quantize(arguments, ignore, never)


def test_unknown_type_is_refused_with_those_there_are(
    tmp_path: Path, starter_models: dict[str, str]
) -> None:
    source = str(starter_models["gguf_q4_1"])
    arguments = {"source": source, "target": str(tmp_path / "y"), "type": "Q9"}
    with pytest.raises(ConfigurationError, match=r"no quantisation 'Q9'.*Q4_K_M.*Q8_0"):
        quantize(arguments, ignore, never)


def test_a_measure_says_what_each_type_becomes_and_writes_nothing(
    tmp_path: Path, starter_models: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = Path(starter_models["gguf_q4_1"])
    arguments = {"source": str(source), "types": ["Q8_0", "Q2_K", "IQ2_XS"]}
    found = json.loads(measure(arguments, ignore, never))
    assert [entry["type"] for entry in found] == ["Q8_0", "Q2_K", "IQ2_XS"]
    assert [entry["needs_matrix"] for entry in found] == [False, False, True]
    for entry, key in zip(found, ("gguf_q8_0", "gguf_q2_k"), strict=False):
        true = Path(starter_models[key]).stat().st_size
        assert entry["bytes"] == pytest.approx(true, abs=100_000)
    assert found[0]["substituted"] == 0
    assert found[1]["substituted"] > 0
    assert found[0]["bits_per_weight"] == pytest.approx(8.51, abs=0.05)
    assert not list(tmp_path.iterdir())


def test_a_log_that_says_nothing_gives_a_high_estimate() -> None:
    found = _measured("a newer llama.cpp says it in other words", 1000)
    assert found == {
        "bytes": 2000, "bits_per_weight": 0.0, "substituted": 0, "needs_matrix": False,
    }  # fmt: skip


def test_metadata_are_written_and_long_texts_cut_between_characters(tmp_path: Path) -> None:
    source, target = write_wide_gguf(tmp_path / "a.gguf"), tmp_path / "b.gguf"
    metadata = {"quantize.source.file": "ü" * 100, "own.key": "x"}
    arguments = {
        "source": str(source), "target": str(target), "type": "Q8_0", "metadata": metadata,
    }  # fmt: skip
    quantize(arguments, ignore, never)
    written = read_metadata(target)
    assert written["quantize.source.file"] == "ü" * 63
    assert written["own.key"] == "x"
    assert written[MAKER].startswith("llama.cpp (llama-cpp-python")


def test_stopped_job_writes_nothing(tmp_path: Path, starter_models: dict[str, str]) -> None:
    target = tmp_path / "y.gguf"
    arguments = {"source": str(starter_models["gguf_q4_1"]), "target": str(target), "type": "Q8_0"}
    with pytest.raises(ModelLoadError, match="stopped"):
        quantize(arguments, ignore, lambda: True)
    assert not target.exists()


def test_quantised_file_is_a_model(
    tmp_path: Path, starter_models: dict[str, str], capfd: Any
) -> None:
    from runners.engines.gguf.model import GGUFModel

    reports: list[tuple[str, float, float]] = []
    target = tmp_path / "small.gguf"
    arguments = {"source": str(starter_models["gguf_q4_1"]), "target": str(target), "type": "q2_k"}
    quantize(arguments, lambda *report: reports.append(report), never)
    model = GGUFModel.load(str(target))
    assert "Q2_K" in model.description
    model.close()
    assert reports[-1][1] == reports[-1][2]
