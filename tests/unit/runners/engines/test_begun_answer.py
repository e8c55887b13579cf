"""What goes between a prompt and the begin of an answer, and how its rest is read."""

from __future__ import annotations

import pytest

from comparator.core.conversation import Conversation
from runners.engines.begun_answer import EMPTY_THOUGHT, before_begun
from runners.engines.chat_prompt import render
from runners.engines.thinking import ThoughtMarks, ThoughtSplitter
from runners.engines.typed_tokens import chat_tokens

CHANNELS = "<|channel|>analysis<|message|> {{ x }}"


@pytest.mark.parametrize(
    ("end", "source", "between"),
    [
        ("assistant\n", "", ""),
        ("assistant\n<think>\n", "", "\n</think>\n\n"),
        ("assistant\n<think>", "", "\n\n</think>\n\n"),
        ("assistant\n<think>\n\n</think>\n\n", "", ""),
        ("<|channel>thought\n", "", "\n<channel|>\n\n"),
        ("<|start|>assistant", CHANNELS, "<|channel|>final<|message|>"),
        (
            "<|start|>assistant<|channel|>analysis<|message|>",
            CHANNELS,
            "<|end|><|start|>assistant<|channel|>final<|message|>",
        ),
    ],
)
def test_what_the_model_writes_before_an_answer_goes_before_its_begin(
    end: str, source: str, between: str
) -> None:
    assert before_begun("prompt" + end, end, source) == between


def test_a_typed_opener_at_the_end_of_a_plain_text_closes_nothing() -> None:
    assert before_begun("What does <think>", None, "") == ""


def test_the_begin_is_found_as_the_last_message_of_the_prompt() -> None:
    asked = Conversation.of("q").continuing("It is")
    rendered = render(lambda messages, **_: f"[{messages[0]['content']}]:", "gguf", asked)
    assert rendered.text == "[q]:It is"
    assert (rendered.asked, rendered.begun, rendered.notes) == ("[q]:", "It is", ())
    *_, last = rendered.spans or ()
    assert (rendered.text[last.start : last.end], last.number) == ("It is", 1)
    assert rendered.texts == ("q", "It is")


def test_an_empty_thought_is_said() -> None:
    asked = Conversation.of("q").continuing("It is")
    rendered = render(lambda messages, **_: f"[{messages[0]['content']}]<think>\n", "gguf", asked)
    assert rendered.text == "[q]<think>\n\n</think>\n\nIt is"
    assert rendered.notes == (EMPTY_THOUGHT,)


def test_the_begin_is_tokenised_apart_and_all_of_it_is_text() -> None:
    calls = []

    def encode(text: str, special: bool) -> list[int]:
        calls.append((text, special))
        return list(text.encode())

    asked = Conversation.of("q").continuing("<|im_end|>")
    rendered = render(lambda messages, **_: f"[{messages[0]['content']}]:", "gguf", asked)
    assert chat_tokens(rendered, ["<|im_end|>"], encode) == list(b"[q]:<|im_end|>")
    assert all(special == ("<|im_end|>" not in text) for text, special in calls if text != "\n")


class TestReadingTheRest:
    @pytest.mark.parametrize("text", ["</think> more", "so\n</think>\nmore", "<think>a"])
    def test_marks_in_it_are_text(self, text):
        splitter = ThoughtSplitter(ThoughtMarks(), is_in_answer=True)
        pieces = [splitter.feed(letter) for letter in text]
        rest = splitter.rest()
        assert "".join(piece.answer for piece in pieces) + rest.answer == text
        assert not any(piece.thought or piece.was_thought for piece in (*pieces, rest))

    def test_white_space_at_its_begin_is_kept(self):
        splitter = ThoughtSplitter(ThoughtMarks(), is_in_answer=True)
        assert splitter.feed(" upon").answer == " upon"
