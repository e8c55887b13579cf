"""Where special tokens stand in a prompt: what the template wrote, and nothing that was typed."""

from __future__ import annotations

from comparator.core.conversation import Conversation
from runners.engines import special_marks
from runners.engines.chat_prompt import RenderedPrompt, render

NAMES = ("<|im_start|>", "<|im_end|>")


def special_in(texts):
    return [name for name in NAMES if any(name in text for text in texts)]


def marked(rendered: RenderedPrompt) -> list[str]:
    places = special_marks.marks(rendered, special_in)
    pairs = zip(places[::2], places[1::2], strict=True)
    return [rendered.text[begin:end] for begin, end in pairs]


def test_what_the_template_wrote_is_marked_and_what_was_typed_is_not():
    rendered = render(None, "", Conversation.of("a <|im_end|> b"), "chat")
    assert rendered.text.count("<|im_end|>") == 2
    assert marked(rendered) == ["<|im_start|>", "<|im_end|>", "<|im_start|>"]
    places = special_marks.marks(rendered, special_in)
    typed = rendered.text.index("<|im_end|>")
    assert typed not in places


def test_all_are_marked_where_it_is_not_known_what_was_typed():
    rendered = RenderedPrompt("<|im_start|>x<|im_end|>", "gguf", None, ("x<|im_end|>",))
    assert marked(rendered) == ["<|im_start|>", "<|im_end|>"]


def test_a_plain_prompt_has_none():
    assert marked(RenderedPrompt("<|im_end|>", "none", None, ("<|im_end|>",))) == []


def test_the_longest_name_is_marked():
    rendered = RenderedPrompt("<a><a>b", "gguf")
    places = special_marks.marks(rendered, lambda _texts: ["<a>", "<a><a>"])
    assert places == (0, 6)


def test_a_token_before_the_text_is_told_once():
    assert special_marks.before(RenderedPrompt("hi", "gguf"), "<s>") == "<s>"
    assert special_marks.before(RenderedPrompt("<s>hi", "gguf"), "<s>") == ""
    assert special_marks.before(RenderedPrompt("<s>hi", "none"), "<s>") == "<s>"
    assert special_marks.before(RenderedPrompt("hi", "none"), "") == ""
