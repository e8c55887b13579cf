"""The lists of models, and what stands beside them."""

from __future__ import annotations

import json
from pathlib import Path

from model_files import write_gguf

from comparator.core.models import ModelInfo, ModelType
from comparator.library import discovery
from comparator.library.discovery import Skipped
from comparator.library.shelf import Shelf
from comparator.ui.language import text
from comparator.ui.model_lists import ModelLists, names_and_kinds, shelf_updates, unusable_note

LISTS = ModelLists(["a", "b", "c", "d"], "catalogue", "unusable", "starter panel")
FIRST = ModelInfo("1", "alpha", "/a.echo.json", ModelType.ECHO, 10)
SECOND = ModelInfo("2", "beta", "/b.echo.json", ModelType.ECHO, 10)


def chosen(shelf: Shelf, **values: str | None) -> list[str]:
    updates = shelf_updates(LISTS, shelf, values)
    return [updates[widget]["value"] for widget in LISTS.models]


def test_two_models_are_chosen_to_begin_with() -> None:
    assert chosen(Shelf([FIRST, SECOND])) == ["1", "2", "", ""]
    assert chosen(Shelf([FIRST])) == ["1", "", "", ""]
    assert chosen(Shelf([FIRST, SECOND]), a="gone") == ["1", "2", "", ""]


def test_what_is_chosen_stays_while_it_is_there() -> None:
    values = {"a": "2", "b": "2", "c": "gone", "d": None}
    assert chosen(Shelf([FIRST, SECOND]), **values) == ["2", "2", "", ""]


def test_all_of_them_are_drawn_anew() -> None:
    updates = shelf_updates(LISTS, Shelf([FIRST, SECOND]))
    assert list(updates) == LISTS.widgets
    choices = [(str(label), value) for label, value in updates["a"]["choices"]]
    assert choices == [
        (str(text("compare.none")), ""),
        ("alpha · Echo · 10 bytes", "1"),
        ("beta · Echo · 10 bytes", "2"),
    ]
    assert updates["catalogue"] == {
        "1": ["alpha", "Echo · 10 bytes", "", []],
        "2": ["beta", "Echo · 10 bytes", "", []],
    }


def test_models_of_one_name_are_told_apart_by_their_folders() -> None:
    paths = ("/one/checkpoint-500", "/two/checkpoint-500", "/two/other")
    models = [ModelInfo(path, path.rsplit("/", 1)[-1], path, ModelType.ECHO, 10) for path in paths]
    told = names_and_kinds(models)
    assert [told[path][0] for path in paths] == [
        "one/checkpoint-500",
        "two/checkpoint-500",
        "other",
    ]


def test_what_cannot_be_asked_is_not_offered_but_told(tmp_path: Path) -> None:
    """Also where nothing was known of the files before."""
    write_gguf(tmp_path / "head.gguf", architecture="eagle3")
    write_gguf(tmp_path / "foreign.gguf", architecture="gptoss")
    packed = {"model_type": "llama", "quantization_config": {"quant_method": "exl2"}}
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "config.json").write_text(json.dumps(packed))
    (tmp_path / "packed" / "model.safetensors").touch()
    shelf = Shelf.of([*discovery.scan(tmp_path).models, FIRST], [])
    updates = shelf_updates(LISTS, shelf)
    assert list(updates["catalogue"]) == ["1"]
    assert [value for _words, value in updates["a"]["choices"]] == ["", "1"]
    note = updates["unusable"]["value"]
    for words in ("head.gguf", "cannot answer alone", "Ollama", "ExLlamaV2 runs it"):
        assert words in note
    assert {m.name: m.problem is None for m in shelf.offered}["foreign"]  # it is not changed


def test_the_starter_set_is_offered_while_there_is_nothing_else() -> None:
    assert shelf_updates(LISTS, Shelf())["starter panel"]["visible"] is True
    assert shelf_updates(LISTS, Shelf([FIRST]))["starter panel"]["visible"] is False


def test_what_cannot_be_loaded_is_told_and_escaped() -> None:
    bad = ModelInfo("b", "<img src=x>", "/b", ModelType.GGUF, 0, {"problem": "Empty & void."})
    note = unusable_note(Shelf([], [bad], [Skipped("/models/lora", "A LoRA adapter")]))
    assert "2 files cannot be loaded" in note
    assert "&lt;img src=x&gt;" in note
    assert "Empty &amp; void." in note
    assert "/models" not in note
    assert unusable_note(Shelf()) == ""
