"""What a chat template can be told is known before its model is loaded, and shown beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import model_files
import pytest

from comparator.core.models import ModelInfo
from comparator.library.facts.store import FactsStore, read_facts
from comparator.library.facts.template_arguments import (
    arguments_asked_by,
    in_words,
    template_of_directory,
)
from comparator.library.facts.values import ModelFacts
from comparator.ui import model_lists

QWEN = "{{ messages }}{% if enable_thinking is defined and not enable_thinking %}x{% endif %}"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (QWEN, ("enable_thinking",)),
        ("{{ reasoning_effort }}{{ thinking }}", ("reasoning_effort", "thinking")),
        ("{{ messages }}", ()),
        (f"{{{{ {'x' * 65} }}}}{{{{ y }}}}", ("y",)),
        ("{% if", None),
        ("x" * 200_001, None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_names_are_read_and_what_is_not_readable_has_none(
    source: Any, names: tuple[str, ...] | None
) -> None:
    assert arguments_asked_by(source) == names


def test_any_number_of_names_is_not_kept() -> None:
    source = "".join(f"{{{{ name_{number} }}}}" for number in range(100))
    assert len(arguments_asked_by(source) or ()) == 32


@pytest.mark.parametrize(
    ("files", "template"),
    [
        ({}, None),
        ({"tokenizer_config.json": json.dumps({"chat_template": "a"})}, "a"),
        (
            {
                "tokenizer_config.json": json.dumps({"chat_template": "a"}),
                "chat_template.jinja": "b",
            },
            "b",
        ),
        (
            {
                "tokenizer_config.json": json.dumps(
                    {
                        "chat_template": [
                            {"name": "tool_use", "template": "t"},
                            {"name": "default", "template": "d"},
                        ]
                    }
                )
            },
            "d",
        ),
        (
            {
                "tokenizer_config.json": json.dumps({"chat_template": None}),
                "chat_template.json": json.dumps({"chat_template": "c"}),
            },
            "c",
        ),
        ({"tokenizer_config.json": "[]"}, None),
        ({"tokenizer_config.json": json.dumps({"chat_template": [1, {"name": "default"}]})}, None),
    ],
)
def test_a_directorys_template_is_found_as_transformers_finds_it(
    files: dict[str, str], template: str | None, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert template_of_directory(tmp_path) == template


def test_both_kinds_of_models_tell_it_and_the_cache_keeps_it(tmp_path: Path) -> None:
    folder = model_files.write_tokenizer(tmp_path / "folder", template=QWEN)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    models = [
        model_files.as_model(folder),
        model_files.as_model(model_files.write_gguf(tmp_path / "m.gguf", template=QWEN)),
    ]
    store = FactsStore(tmp_path / "facts.sqlite3")
    for model in models:
        assert read_facts(model).template_arguments == ("enable_thinking",)
        store.facts_of(model)
    store.close()
    again = FactsStore(tmp_path / "facts.sqlite3")
    known = [again.known(model) for model in models]
    assert [facts and facts.template_arguments for facts in known] == [("enable_thinking",)] * 2
    again.close()


@pytest.mark.parametrize(
    ("names", "words", "settings"),
    [
        (
            ("enable_thinking",),
            "Its template knows thinking=on|off",
            ["thinking", "template_args"],
        ),
        (
            ("reasoning_effort",),
            "Its template knows reasoning_effort",
            ["reasoning_effort", "template_args"],
        ),
        (
            ("custom", "reasoning_effort", "thinking"),
            "Its template knows thinking=on|off, reasoning_effort, template_args: custom",
            ["thinking", "reasoning_effort", "template_args"],
        ),
        (("date_string",), "Its template knows template_args: date_string", ["template_args"]),
        ((), "", []),
        (None, "", []),
    ],
)
def test_the_page_is_told_which_settings_a_model_knows(
    names: tuple[str, ...] | None,
    words: str,
    settings: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert in_words(names) == words
    model: ModelInfo = model_files.as_model(Path("/nowhere/m.gguf"))
    facts = ModelFacts(template_arguments=names)
    monkeypatch.setattr(model_lists, "facts_of", lambda _model: facts)
    assert model_lists.names_and_kinds([model])[model.id][2:] == [words, settings]
