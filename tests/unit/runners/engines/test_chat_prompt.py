"""The rules from a question to the text a model is given."""

from __future__ import annotations

import pytest

from comparator.core.conversation import Conversation
from comparator.core.exceptions import InferenceError, PromptTooLongError
from runners.engines.chat_prompt import Messages, render
from runners.engines.context_fit import check_fits, context_limit, surely_fits


def bracketed(messages: Messages, **_arguments: object) -> str:
    return "".join(f"[{turn['role']}:{turn['content']}]" for turn in messages)


def without_system(messages: Messages, **_arguments: object) -> str:
    if messages[0]["role"] == "system":
        raise ValueError("no system role")
    return bracketed(messages)


def dropping_system(messages: Messages, **_arguments: object) -> str:
    return bracketed([turn for turn in messages if turn["role"] != "system"])


@pytest.mark.parametrize(
    ("template", "config", "text", "source"),
    [
        (bracketed, {}, "[user:q]", "gguf"),
        (bracketed, {"system_prompt": "s"}, "[system:s][user:q]", "gguf"),
        (bracketed, {"prompt_format": "plain"}, "q", "none"),
        (bracketed, {"prompt_format": "plain", "system_prompt": "s"}, "s\n\nq", "none"),
        (None, {}, "q", "none"),
        (
            None,
            {"prompt_format": "chat"},
            "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n",
            "fallback",
        ),
        (without_system, {"system_prompt": "s"}, "[user:s\n\nq]", "gguf"),
        (dropping_system, {"system_prompt": "s"}, "[user:s\n\nq]", "gguf"),
    ],
)
def test_render(template: object, config: dict[str, str], text: str, source: str) -> None:
    asked = Conversation.of("q", config.pop("system_prompt", ""))
    rendered = render(template, "gguf", asked, **config)  # type: ignore[arg-type]
    assert (rendered.text, rendered.source) == (text, source)
    assert rendered.is_chat == (source != "none")


TURNS = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
]


@pytest.mark.parametrize(
    ("template", "options", "text"),
    [
        (bracketed, {}, "[system:s][user:one][assistant:two][user:three]"),
        (without_system, {}, "[user:s\n\none][assistant:two][user:three]"),
        (dropping_system, {}, "[user:s\n\none][assistant:two][user:three]"),
        (None, {}, "s\n\nUser: one\n\nAssistant: two\n\nUser: three\n\nAssistant:"),
        (
            None,
            {"prompt_format": "chat"},
            "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\none<|im_end|>\n"
            "<|im_start|>assistant\ntwo<|im_end|>\n<|im_start|>user\nthree<|im_end|>\n"
            "<|im_start|>assistant\n",
        ),
    ],
)
def test_several_turns(template: object, options: dict[str, str], text: str) -> None:
    asked = Conversation.of(TURNS, "s")
    assert render(template, "gguf", asked, **options).text == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("template", "behind"),
    [
        (bracketed, "]"),
        (lambda messages, **_arguments: bracketed(messages).upper(), None),
        (lambda messages, **_arguments: messages[0]["content"], ""),
        (None, None),
    ],
)
def test_what_a_template_writes_behind_the_question_is_known(
    template: object, behind: str | None
) -> None:
    asked = Conversation.of("Explain <think>")
    assert render(template, "gguf", asked).after_messages == behind  # type: ignore[arg-type]


def test_failing_template_is_told() -> None:
    def fails(messages: Messages, **_arguments: object) -> str:
        raise KeyError("name")

    with pytest.raises(InferenceError, match=r"chat template fails .*prompt_format to plain"):
        render(fails, "gguf", Conversation.of("q"))


@pytest.mark.parametrize(
    ("count", "wanted", "own", "words"),
    [
        (2518, 2048, 8192, r"2518 tokens; name takes 2048\. Shorten .*up to 8192"),
        (2518, 4096, 2048, r"takes 2048\. Shorten it: this is the model's own limit"),
        (2048, 2048, None, r"takes 2048 and needs room for the answer"),
        (3000, 2048, None, r"takes 2048\."),
    ],
)
def test_too_long_is_told(count: int, wanted: int, own: int | None, words: str) -> None:
    with pytest.raises(PromptTooLongError, match=words):
        check_fits([0] * count, "name", wanted, own)


def test_one_token_of_room_is_enough() -> None:
    check_fits([0] * 2047, "name", 2048, None)


def test_context_limit() -> None:
    assert context_limit(4096, 2048) == 2048
    assert context_limit(1024, 2048) == 1024
    assert context_limit(1024, None) == 1024


def test_surely_fits() -> None:
    assert surely_fits(Conversation.of("hello"), 2048)
    assert not surely_fits(Conversation.of("好" * 400), 2048)
    assert not surely_fits(Conversation.of("hello"), 256)
    assert not surely_fits(Conversation.of("hello", "好" * 400), 2048)
    many = [{"role": role, "content": "hi"} for role in ["user", "assistant"] * 20]
    assert not surely_fits(Conversation.of([*many, TURNS[0]]), 2048), "turns cost tokens, too"
