"""How the files of a model are when its run begins: told, and made alike where that is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparator.comparison import file_cache
from comparator.comparison.request import Files
from comparator.core.models import ModelInfo, ModelType


def never() -> bool:
    return False


@pytest.fixture
def model(tmp_path: Path) -> ModelInfo:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"x" * 10)
    return ModelInfo("", "a", str(path), ModelType.GGUF, 10)


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> dict[str, float | None]:
    """A file cache that is as the test says after each way of asking."""
    left: dict[str, float | None] = {"files_cached": 0.4, "cold": 0.0, "warm": 1.0}

    def answer(way: str) -> object:
        return lambda files, *_: left[way] if [f.name for f in files] == ["a.gguf"] else 7.0

    for way in left:
        monkeypatch.setattr(file_cache.page_cache, way, answer(way))
    return left


@pytest.mark.parametrize(
    ("wanted", "cached"), [(Files.AS_THEY_ARE, 0.4), (Files.COLD, 0.0), (Files.WARM, 1.0)]
)
def test_files_are_as_wanted_and_nothing_is_said(model, cache, wanted, cached) -> None:
    assert file_cache.prepared(model, wanted, never) == (cached, "")


@pytest.mark.parametrize(
    ("wanted", "left", "words"),
    [
        (Files.COLD, 0.12, "12 % of its files stayed in the file cache"),
        (Files.COLD, None, "does not tell"),
        (Files.WARM, 0.6, "Only 60 % of its files stayed in the file cache"),
        (Files.WARM, None, "does not tell"),
    ],
)
def test_where_it_did_not_work_that_is_said(model, cache, wanted, left, words) -> None:
    cache[wanted.value] = left
    cached, sentence = file_cache.prepared(model, wanted, never)
    assert cached == left
    assert words in sentence


def test_a_model_without_files_is_let_alone(cache) -> None:
    echo = ModelInfo("", "a", "/nowhere", ModelType.ECHO, 0)
    assert file_cache.prepared(echo, Files.COLD, never) == (None, "")


def test_a_file_that_cannot_be_read_is_told_and_ends_nothing(model, cache, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(file_cache.page_cache, "warm", refuse)
    cached, sentence = file_cache.prepared(model, Files.WARM, never)
    assert cached is None
    assert "not yours" in sentence
