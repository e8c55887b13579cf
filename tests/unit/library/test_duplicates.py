"""The same bytes in two places are one model; nothing is read to list them."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest
from source_trees import hub_file, ollama_model, write

from comparator.core.models import ModelInfo
from comparator.library import duplicates, sources
from comparator.library.duplicates import merged_by_content, place_ids
from comparator.services.model_manager import ModelManager
from comparator.storage.digests import Digests


@pytest.fixture
def digests(tmp_path: Path) -> Digests:
    return Digests(tmp_path / "cache" / "digests.sqlite3")


def models_in(*folders: Path) -> list[ModelInfo]:
    return sources.find_all(folders, []).models


def folder_with(place: Path, weights: str, tokenizer: str) -> Path:
    write(place / "config.json", "{}")
    write(place / "model.safetensors", weights)
    write(place / "tokenizer.json", tokenizer)
    return place


def test_copies_are_merged_when_they_are_known(tmp_path: Path, digests: Digests) -> None:
    for name in ("a", "b", "other"):
        write(tmp_path / "m" / f"{name}.gguf", "GGUF 22222" if name == "other" else "GGUF 11111")
    models = models_in(tmp_path / "m")
    assert len(merged_by_content(models, digests.known)) == 3, "nothing is known yet"
    a, other = merged_by_content(models, digests.of)
    assert (a.name, other.name) == ("a", "other")
    assert [place.name for place in a.places] == ["a", "b"]
    again = merged_by_content(models_in(tmp_path / "m"), digests.known)
    assert [model.name for model in again] == ["a", "other"], "and the next time at once"


def test_a_file_that_changed_is_read_again(tmp_path: Path, digests: Digests) -> None:
    path = write(tmp_path / "a.gguf", "one")
    assert digests.of(path) == hashlib.sha256(b"one").hexdigest()
    path.write_text("two")
    os.utime(path, ns=(1, 1))
    assert digests.known(path) is None
    assert digests.of(path) == hashlib.sha256(b"two").hexdigest()


def test_names_that_are_digests_need_no_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, copy = write(tmp_path / "w"), write(tmp_path / "w2")
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    ollama_model(tmp_path / "ollama", "r/n/m/t", weights)
    hub_file(tmp_path / "hub", "org/a", "a.gguf", copy)  # another file of the same content
    manager = ModelManager(tmp_path / "none", sources=["ollama", "huggingface"])
    (model,) = manager.scan_models()
    manager.close()
    assert [place.source for place in model.places] == ["huggingface", "ollama"]


def test_only_files_of_equal_size_are_read(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path / f"{number}.gguf", "x" * (number + 1))
    asked: list[Path] = []

    def note(path: Path) -> None:
        asked.append(path)

    assert len(merged_by_content(models_in(tmp_path), note)) == 5
    assert asked == []


def test_folders_of_the_same_weights_with_other_tokenizers_are_two(
    tmp_path: Path, digests: Digests
) -> None:
    folder_with(tmp_path / "a", "weights", "one")
    folder_with(tmp_path / "b", "weights", "two")
    folder_with(tmp_path / "c", "weights", "one")
    found = merged_by_content(models_in(tmp_path), digests.of)
    assert [model.name for model in found] == ["a", "b"]
    assert [place.name for place in found[0].places] == ["a", "c"]


def test_shards_are_compared_one_by_one(tmp_path: Path, digests: Digests) -> None:
    for folder, second in (("a", "22"), ("b", "22"), ("c", "33")):
        write(tmp_path / folder / "m-00001-of-00002.gguf", "11")
        write(tmp_path / folder / "m-00002-of-00002.gguf", second)
    found = merged_by_content(models_in(tmp_path), digests.of)
    assert [len(model.places) for model in found] == [2, 1]


def test_left_over_files_make_no_difference(tmp_path: Path, digests: Digests) -> None:
    for name in ("a", "b"):
        folder_with(tmp_path / name, "weights", "one")
    write(tmp_path / "a" / "consolidated.safetensors", "the same once more")
    (model,) = merged_by_content(models_in(tmp_path), digests.of)
    assert len(model.places) == 2


def test_a_model_that_went_away_is_no_copy(tmp_path: Path, digests: Digests) -> None:
    for name in ("a", "b"):
        folder_with(tmp_path / name, "weights", "one")
    models = models_in(tmp_path)
    for file in (tmp_path / "b").iterdir():
        file.unlink()
    (tmp_path / "b").rmdir()
    assert len(merged_by_content(models, digests.of)) == 2


def test_every_place_finds_the_model(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / "m" / f"{name}.gguf")
    (alone,) = models_in(write(tmp_path / "x" / "b.gguf").parent)
    manager = ModelManager(tmp_path / "m")
    both = {model.name: model.id for model in manager.scan_models()}
    (model,) = manager.find_copies()
    assert place_ids(model) == set(both.values())
    assert manager.get_model_by_id(both["b"]) is model
    assert manager.get_model_by_id(both["b"] + "#2") is model
    assert manager.get_model_by_id(alone.id) is None
    for wanted in (both["b"], "b", str(tmp_path / "m" / "b.gguf")):
        assert manager.find_model(wanted) is model
    assert manager.select_models([both["b"]])
    manager.close()


def test_a_damaged_or_forbidden_cache_costs_only_time(tmp_path: Path) -> None:
    write(tmp_path / "digests.sqlite3", b"no database" * 1000)
    file = write(tmp_path / "a.gguf", "abc")
    for place in (tmp_path / "digests.sqlite3", file / "digests.sqlite3"):
        store = Digests(place)
        assert store.of(file) == store.of(file) == hashlib.sha256(b"abc").hexdigest()
        store.close()


def test_several_at_once(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{number}.gguf", str(number)) for number in range(50)]
    stores = [Digests(tmp_path / "digests.sqlite3") for _ in range(4)]
    found: list[list[str | None]] = []
    threads = [
        threading.Thread(target=lambda s=store: found.append([s.of(file) for file in files]))
        for store in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert found == [[hashlib.sha256(str(n).encode()).hexdigest() for n in range(50)]] * 4


def test_where_there_are_no_inodes_nothing_is_the_same(tmp_path: Path) -> None:
    status = os.stat(write(tmp_path / "a"))
    without = os.stat_result((status.st_mode, 0, 0, *status[3:]))
    assert duplicates.key_of({"": status})
    assert duplicates.key_of({"": without}) is None
