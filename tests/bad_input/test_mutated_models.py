"""Random damage, in short: fixed seeds. ``tests/soak`` has the long run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import mutations
import pytest
from cases import slow

from comparator.core.models import ModelInfo
from comparator.services.inference_engine import InferenceEngine


@pytest.fixture
def mutated_engine() -> InferenceEngine:
    return InferenceEngine(deadlines=mutations.DEADLINES)


@pytest.mark.parametrize("first", [0, 8])
def test_damaged_gguf_files(
    mutated_engine: InferenceEngine, whole_gguf: Path, tmp_path: Path, first: int
) -> None:
    kinds: Counter[str | None] = Counter()
    for start in (first, first + 4):
        mutants = [mutations.gguf_mutant(whole_gguf, tmp_path, start + n) for n in range(4)]
        results = mutations.survived(mutated_engine, mutants)
        kinds.update(result.error_kind for result in results)
    assert kinds["load"] > 0
    still_answers(mutated_engine, mutations.model_files.as_model(whole_gguf))


@pytest.mark.parametrize("first", [100, slow(104)])
def test_damaged_folders(
    mutated_engine: InferenceEngine, whole_folder: Path, tmp_path: Path, first: int
) -> None:
    mutants = [mutations.folder_mutant(whole_folder, tmp_path, first + n) for n in range(4)]
    mutations.survived(mutated_engine, mutants)
    still_answers(mutated_engine, mutations.model_files.as_model(whole_folder))


def test_what_the_parent_itself_reads(whole_gguf: Path, whole_folder: Path, tmp_path: Path) -> None:
    """Headers are read without a child, so their readers meet many more of them here."""
    import contextlib
    import shutil

    from comparator.core.config import ModelConfig
    from comparator.core.exceptions import ModelLoadError
    from comparator.formats import checks
    from comparator.library.facts.lookup import facts_of

    for seed in range(700):
        if seed % 7:
            model = mutations.gguf_mutant(whole_gguf, tmp_path, seed)
        else:
            model = mutations.folder_mutant(whole_folder, tmp_path, seed)
        facts_of(model)
        with contextlib.suppress(ModelLoadError):
            checks.check(model, ModelConfig())
        shutil.rmtree(model.path) if Path(model.path).is_dir() else Path(model.path).unlink()


def still_answers(engine: InferenceEngine, model: ModelInfo) -> None:
    (result,) = mutations.survived(engine, [model])
    assert (result.error, result.stats.token_count) == (None, 2)
