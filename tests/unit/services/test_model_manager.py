"""Choosing models: up to four, by id, name or path."""

from __future__ import annotations

import pytest

from comparator.core.exceptions import ConfigurationError, ModelNotFoundError
from comparator.services.model_manager import ModelManager


@pytest.fixture
def manager(tmp_path):
    for number in range(5):
        folder = tmp_path / "gguf" / f"d{number // 4}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"m{number % 4}.gguf").write_text("x")
    manager = ModelManager(str(tmp_path))
    manager.scan_models()
    return manager


def test_a_missing_folder_is_a_sentence(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"There is no models folder at .*nowhere"):
        ModelManager(tmp_path / "nowhere").scan_models()


def test_a_folder_that_is_a_file_is_told_as_one(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ModelNotFoundError, match=r"models folder .*file is no folder"):
        ModelManager(tmp_path / "file").scan_models()


def test_another_folder_may_be_scanned(manager, tmp_path):
    assert len(manager.scan_models(str(tmp_path / "gguf" / "d1"))) == 1
    assert len(manager.get_available_models()) == 1


def test_the_lists_handed_out_are_copies(manager):
    manager.get_available_models().clear()
    manager.scan_models().clear()
    manager.get_selected_models().append(None)
    assert len(manager.available_models) == 5
    assert manager.selected_models == []


class TestSelection:
    def test_up_to_four(self, manager):
        ids = [model.id for model in manager.available_models]
        assert manager.select_models(ids[:4]) is True
        assert [model.id for model in manager.get_selected_models()] == ids[:4]
        with pytest.raises(ValueError, match="Cannot select more than 4 models; 5 were given"):
            manager.select_models(ids)
        assert len(manager.selected_models) == 4

    def test_the_limit_is_an_attribute(self, manager):
        manager.max_models = 1
        with pytest.raises(ConfigurationError):
            manager.select_models(["a", "b"])

    def test_an_unknown_id_is_told_and_the_others_are_taken(self, manager):
        known = manager.available_models[0].id
        assert manager.select_models([known, "nobody"]) is False
        assert [model.id for model in manager.selected_models] == [known]

    def test_the_same_model_twice_has_two_ids(self, manager):
        model = manager.available_models[0]
        assert manager.select_models([model.id] * 3) is True
        ids = [chosen.id for chosen in manager.selected_models]
        assert ids == [model.id, f"{model.id}#2", f"{model.id}#3"]
        assert {chosen.path for chosen in manager.selected_models} == {model.path}
        assert manager.select_models(ids) is True, "its own ids may be chosen again"
        assert [chosen.id for chosen in manager.selected_models] == ids

    def test_none(self, manager):
        assert manager.select_models([]) is True
        assert manager.get_model_by_id("nobody") is None


class TestFinding:
    def test_by_id_name_and_path(self, manager):
        model = next(m for m in manager.available_models if m.name == "m3")
        for wanted in (model.id, model.path, "m3"):
            assert manager.find_model(wanted) is model

    def test_a_name_that_two_have_asks_for_an_id(self, manager):
        with pytest.raises(ModelNotFoundError, match="Several models are named 'm0'") as caught:
            manager.find_model("m0")
        for model in manager.available_models:
            if model.name == "m0":
                assert model.id in str(caught.value)
                assert model.path in str(caught.value)

    def test_a_path_outside_the_folder(self, manager, tmp_path_factory):
        path = tmp_path_factory.mktemp("else") / "other.gguf"
        path.write_text("x")
        assert manager.find_model(str(path)).name == "other"

    def test_a_path_that_is_no_model(self, manager, tmp_path):
        (tmp_path / "notes.txt").write_text("x")
        with pytest.raises(ModelNotFoundError, match="neither a GGUF file nor"):
            manager.find_model(str(tmp_path / "notes.txt"))

    @pytest.mark.parametrize("wanted", ["nobody", "", "a\0b", "x" * 5000])
    def test_nobody_lists_who_there_is(self, manager, wanted):
        with pytest.raises(ModelNotFoundError, match="There are: m0, m1"):
            manager.find_model(wanted)

    def test_nobody_at_all(self, tmp_path):
        with pytest.raises(ModelNotFoundError, match="comparator starter"):
            ModelManager(tmp_path).find_model("x")
