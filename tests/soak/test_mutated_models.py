"""2000 damaged models: each ends in time by an answer or a sentence, and the program lives.

A seed that fails is the whole report: ``mutations.gguf_mutant(whole, place, seed)`` makes the
same file again.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import model_files
import mutations
import psutil
import pytest

from comparator.core.models import ModelInfo
from comparator.services.inference_engine import InferenceEngine

pytestmark = pytest.mark.timeout(600)

GGUF_MUTANTS, GGUF_BATCH = 1500, 500
FOLDER_MUTANTS, FOLDER_BATCH = 500, 50  # a batch takes less than faulthandler's patience
MOST_GROWTH_BYTES = 30_000_000

Maker = Callable[[Path, Path, int], ModelInfo]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("whole")
    folder = model_files.write_directory(place / "tiny")
    return {"folder": folder, "gguf": model_files.write_gguf(place / "tiny.gguf", folder)}


def run_batch(maker: Maker, whole: Path, place: Path, first: int, count: int) -> Counter[str]:
    engine = InferenceEngine(deadlines=mutations.DEADLINES)
    process = psutil.Process()
    kinds: Counter[str] = Counter()
    before = 0
    for start in range(0, count, 4):
        if start == 16:
            before = process.memory_full_info().uss
        mutants = [maker(whole, place, first + start + n) for n in range(min(4, count - start))]
        for result in mutations.survived(engine, mutants):
            kinds[result.error_kind or "answered"] += 1
        for model in mutants:
            shutil.rmtree(model.path) if Path(model.path).is_dir() else Path(model.path).unlink()
    (last,) = mutations.survived(engine, [model_files.as_model(whole)])
    assert last.error is None
    assert process.memory_full_info().uss - before < MOST_GROWTH_BYTES
    print(dict(kinds))
    return kinds


@pytest.mark.parametrize("first", range(10_000, 10_000 + GGUF_MUTANTS, GGUF_BATCH))
def test_gguf_files(whole: dict[str, Path], tmp_path: Path, first: int) -> None:
    kinds = run_batch(mutations.gguf_mutant, whole["gguf"], tmp_path, first, GGUF_BATCH)
    assert sum(kinds.values()) == GGUF_BATCH


@pytest.mark.parametrize("first", range(50_000, 50_000 + FOLDER_MUTANTS, FOLDER_BATCH))
def test_folders(whole: dict[str, Path], tmp_path: Path, first: int) -> None:
    kinds = run_batch(mutations.folder_mutant, whole["folder"], tmp_path, first, FOLDER_BATCH)
    assert sum(kinds.values()) == FOLDER_BATCH
