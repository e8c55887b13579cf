"""Which model people mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from wide_gguf import write_wide_gguf

from comparator.core.exceptions import ModelNotFoundError
from comparator.core.models import ModelInfo
from comparator.library import discovery
from comparator.library.lookup import meant


@pytest.fixture
def models(tmp_path: Path) -> list[ModelInfo]:
    for name in ("a-Q8_0-merge.Q4_K_M", "b.Q8_0", "c.Q4_K_M"):
        write_wide_gguf(tmp_path / f"{name}.gguf")
    return discovery.scan(tmp_path).models


def test_a_quantisation_means_the_only_model_that_has_it(models: list[ModelInfo]) -> None:
    assert meant(models, "Q8_0").name == "b.Q8_0"
    assert meant(models, "q8_0").name == "b.Q8_0"


def test_what_several_have_is_answered_with_those_first(models: list[ModelInfo]) -> None:
    with pytest.raises(ModelNotFoundError, match=r"There are: a-Q8_0-merge\.Q4_K_M, c\.Q4_K_M, b"):
        meant(models, "Q4_K_M")
    with pytest.raises(ModelNotFoundError, match=r"There are: b\.Q8_0, a-Q8_0-merge\.Q4_K_M, c"):
        meant(models, "Q8_0 ")


def test_a_path_of_that_name_goes_before(
    models: list[ModelInfo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Q8_0").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFoundError, match="Q8_0 is neither a GGUF file nor"):
        meant(models, "Q8_0")
