"""The list of models on a terminal: names that people know, and what is doubtful."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest
from gguf import GGMLQuantizationType, GGUFWriter

from comparator.cli.commands import models as models_command
from comparator.cli.display.model_table import models_as_text
from comparator.library import discovery
from comparator.library.sources import SOURCES


def gguf_at(path: Path, kind: str, **texts: str) -> Path:
    """Write a GGUF with one layer's matrix of a type."""
    writer = GGUFWriter(path, "llama")
    for key, value in texts.items():
        writer.add_string(f"general.{key}", value)
    numbers = {"Q4_K": 144, "Q8_0": 8 * 34}[kind]
    writer.add_tensor(
        "blk.0.attn_q.weight",
        numpy.zeros((4, numbers), numpy.uint8),
        raw_dtype=GGMLQuantizationType[kind],
    )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    gguf_at(tmp_path / "a-Q8_0-merge.Q4_K_M.gguf", "Q4_K")
    gguf_at(tmp_path / "b.Q8_0.gguf", "Q8_0", quantized_by="bartowski")
    gguf_at(tmp_path / "c.Q4_K_M.gguf", "Q8_0")
    gguf_at(tmp_path / "d.i1-IQ3_XS.gguf", "Q8_0", type="adapter")
    return tmp_path


def listed(folder: Path, capsys: pytest.CaptureFixture[str], *words: str, as_json: bool) -> str:
    models_command.command(list(words), [folder], list(SOURCES), as_json=as_json)
    return capsys.readouterr().out


def test_a_row_has_the_name_and_the_maker_and_a_lying_file_is_marked(folder: Path) -> None:
    lines = models_as_text(discovery.scan(folder).models).splitlines()
    assert lines[0].split()[:4] == ["id", "engine", "quant", "maker"]
    assert lines[2].split()[2:4] == ["Q8_0", "bartowski"]
    assert lines[3].split()[2:6] == ["Q4_K_M,", "really", "Q8_0", "–"]
    doubtful = [line for line in lines if line.startswith("doubtful: c.Q4_K_M: ")]
    assert doubtful == [
        "doubtful: c.Q4_K_M: Its name says Q4_K_M, but 100 % of its layers' weights are Q8_0."
    ]


def test_without_makers_there_is_no_column_of_them(tmp_path: Path) -> None:
    gguf_at(tmp_path / "b.Q8_0.gguf", "Q8_0")
    text = models_as_text(discovery.scan(tmp_path).models)
    assert text.splitlines()[0].split()[:4] == ["id", "engine", "quant", "size"]


def test_words_find_what_is_called_exactly_so_first(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = json.loads(listed(folder, capsys, "Q8_0", as_json=True))
    assert [record["name"] for record in records] == ["b.Q8_0", "a-Q8_0-merge.Q4_K_M"]
    assert (records[0]["quantisation"], records[0]["maker"]) == ("Q8_0", "bartowski")
    assert "No model has 'Q2_K'" in listed(folder, capsys, "Q2_K", as_json=False)
