"""Chat templates of tokenizers: compiled here, unless a tokenizer renders in a way of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import model_files
import pytest

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError, InferenceError
from runners.engines.pytorch.prompt import _turn_end, make_prompt, special_tokens, template_of
from runners.engines.template import ChatTemplate

SOURCE = "{% for m in messages %}{{ m.content }}</s>{% endfor %}{{ name }}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_files.write_tokenizer(tmp_path_factory.mktemp("m"), template=SOURCE)


def load(folder: Path, kind: Any = None) -> Any:
    from transformers import PreTrainedTokenizerFast

    return (kind or PreTrainedTokenizerFast).from_pretrained(folder)


def own_way() -> Any:
    from transformers import PreTrainedTokenizerFast

    class OwnWay(PreTrainedTokenizerFast):  # type: ignore[misc]  # untyped where it is missing
        """As tokenizers of code of their own do."""

        def apply_chat_template(self, messages: Any, **options: Any) -> str:
            assert not options["tokenize"]
            return f"{'|'.join(m['content'] for m in messages)}{sorted(options)}"

    return OwnWay


def test_a_tokenizers_own_way_to_render_is_kept(folder: Path) -> None:
    tokenizer = load(folder, own_way())
    prepared = make_prompt(tokenizer, Conversation.of("hi", "s"), ModelConfig())
    assert prepared.rendered.text == "s|hi['add_generation_prompt', 'tokenize']"
    assert (prepared.rendered.source, prepared.rendered.date) == ("tokenizer", None)


def test_all_others_are_compiled_here_and_once(folder: Path) -> None:
    tokenizer = load(folder)
    template = template_of(tokenizer)
    assert isinstance(template, ChatTemplate)
    assert template_of(tokenizer) is template
    assert _turn_end(tokenizer, special_tokens(tokenizer)) == "</s>"


def test_none_of_several_templates_is_the_usual_one(folder: Path) -> None:
    tokenizer = load(folder)
    tokenizer.chat_template = {"rag": SOURCE, "default": "d: " + SOURCE}
    prepared = make_prompt(tokenizer, Conversation.of("hi"), ModelConfig())
    assert prepared.rendered.text == "d: hi</s>"
    tokenizer.chat_template = {"rag": SOURCE}
    with pytest.raises(InferenceError, match="multiple chat templates"):
        make_prompt(tokenizer, Conversation.of("hi"), ModelConfig())
    plain = make_prompt(tokenizer, Conversation.of("hi"), ModelConfig(prompt_format="plain"))
    assert plain.rendered.text == "hi"


@pytest.mark.parametrize(
    ("name", "words"),
    [("tools", "no tools are offered or run here"), ("images", "asked in text alone")],
)
def test_what_nobody_does_here_is_refused_in_words(folder: Path, name: str, words: str) -> None:
    config = ModelConfig(template_args={name: []})
    with pytest.raises(ConfigurationError, match=f"template_args must not set {name}: .*{words}"):
        make_prompt(load(folder), Conversation.of("hi"), config)


def test_an_argument_that_is_given_takes_its_place(folder: Path) -> None:
    given = ModelConfig(template_args={"name": "Ada"})
    prepared = make_prompt(load(folder), Conversation.of("hi"), given)
    assert (prepared.rendered.text, prepared.notes) == ("hi</s>Ada", ())
    missing = make_prompt(load(folder), Conversation.of("hi"), ModelConfig())
    assert "asks for name, which nothing here tells it" in missing.notes[0]
