"""The same small model as a folder and as a GGUF file, and real ones where numbers need time."""

from __future__ import annotations

from pathlib import Path

import model_files
import pytest


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_files.write_directory(tmp_path_factory.mktemp("truth") / "tiny")


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    return model_files.write_gguf(tmp_path_factory.mktemp("truth") / "tiny.gguf", tiny_folder)
