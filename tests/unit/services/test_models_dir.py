"""Where a Space's models go: the first place that can be written to."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from comparator.hosting.library import models_places
from comparator.hosting.library.models_places import default_models_dir


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Space's folder for what lasts, which is not there yet; the checkout is current."""
    monkeypatch.delenv("COMPARATOR_MODELS_DIR", raising=False)
    monkeypatch.setenv("SPACE_ID", "anna/comparator")
    checkout = tmp_path / "app"
    (checkout / "models").mkdir(parents=True)
    monkeypatch.chdir(checkout)
    monkeypatch.setattr(models_places, "SPACE_STORAGE", tmp_path / "data")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    return tmp_path / "data"


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Folders that cannot be written to, also by root; the checkout's is one."""
    folders = {Path("models")}
    asked = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) not in folders and asked(path, mode)
    )
    return folders


def test_a_checkout_that_can_be_written_to_is_taken(storage: Path) -> None:
    storage.mkdir()
    assert default_models_dir() == Path("models")


def test_else_the_storage_that_lasts(storage: Path, read_only: set[Path]) -> None:
    storage.mkdir()
    assert default_models_dir() == storage / "models"
    (storage / "models").mkdir()
    assert default_models_dir() == storage / "models"


@pytest.mark.parametrize("made", [(), ("data",), ("data", "data/models")])
def test_else_a_temporary_folder(
    storage: Path, read_only: set[Path], tmp_path: Path, made: tuple[str, ...]
) -> None:
    for name in made:
        (tmp_path / name).mkdir()
    read_only |= {tmp_path / made[-1]} if made else set()
    assert default_models_dir() == tmp_path / "tmp" / "multi-llm-comparator" / "models"


def test_without_any_place_the_checkout_is_named(
    storage: Path, read_only: set[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    assert default_models_dir() == Path("models")


def test_what_was_asked_for_comes_first(
    storage: Path, read_only: set[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPARATOR_MODELS_DIR", "/elsewhere")
    assert default_models_dir() == Path("/elsewhere")
