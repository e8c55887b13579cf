"""How many tokens files have, for the models that are chosen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from comparator.core.models import ModelInfo, ModelType
from comparator.hosting.file_tokens import file_tokens

MODELS = [ModelInfo(name, name.upper(), "/x", ModelType.ECHO, 1) for name in ("a", "b", "c")]
FILES = [{"name": "one", "text": "four words are here"}, {"name": "two", "text": "é"}]


def _host(is_public: bool = False) -> Any:
    def of_text(model: ModelInfo, text: str) -> int | None:
        return None if model.id == "c" else len(text.split()) * (2 if model.id == "b" else 1)

    table = SimpleNamespace(models=lambda: MODELS)
    return SimpleNamespace(
        options=SimpleNamespace(is_public=is_public),
        library=SimpleNamespace(table=table),
        engine=SimpleNamespace(token_counts=SimpleNamespace(of_text=of_text)),
    )


def test_each_file_is_counted_once_for_each_chosen_model() -> None:
    assert file_tokens(_host(), FILES, ["b", "a", "b", "", None, "gone"]) == [
        {"characters": 19, "tokens": {"B": 8, "A": 4}},
        {"characters": 1, "tokens": {"B": 2, "A": 1}},
    ]


def test_what_nobody_can_tell_is_left_out() -> None:
    assert file_tokens(_host(), FILES[1:], ["c"]) == [{"characters": 1, "tokens": {}}]


def test_a_public_page_counts_nothing_and_nonsense_is_none() -> None:
    assert file_tokens(_host(is_public=True), FILES, ["a"]) == []
    assert file_tokens(_host(), "nonsense", ["a"]) == []
