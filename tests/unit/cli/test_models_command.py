"""What ``comparator models`` prints beside the table."""

from __future__ import annotations

from pathlib import Path

import lora_files
import model_files
import pytest

from comparator.cli.commands import models


def test_adapters_are_listed_behind_the_models(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = model_files.write_directory(tmp_path / "base")
    assert models.command(models_dir=[tmp_path], no_source=["ollama"]) == 0
    assert "Adapters" not in capsys.readouterr().out
    lora_files.write_peft(tmp_path / "polite", base)
    assert models.command(models_dir=[tmp_path], no_source=["ollama"]) == 0
    table, adapters = capsys.readouterr().out.split("\n\n")
    assert "base" in table
    assert "polite" not in table
    assert "polite: for someone/base, rank 4" in adapters
