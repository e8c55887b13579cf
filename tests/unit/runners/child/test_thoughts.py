"""The messages of an answer tell thoughts apart and count their tokens."""

from __future__ import annotations

import pytest

from runners import protocol
from runners.base import PromptTokens
from runners.child.thoughts import AnswerTeller
from runners.engines.echo_inferencer import EchoInferencer
from runners.engines.thinking import KNOWN, Pair, ThoughtMarks
from runners.supervision.answer_order import AnswerOrder

TOLD = ThoughtMarks(expected=frozenset(("</think>",)))
R1 = PromptTokens(3, "<|im_start|>assistant\n<think>\n", "gguf")


def told(
    *tokens: str,
    prompt: PromptTokens | None = None,
    rest: str = "",
    marks: ThoughtMarks | None = None,
) -> list[protocol.Token | protocol.Answered]:
    """Return the messages, as the parent lets them pass."""
    inferencer = EchoInferencer()
    teller, order = AnswerTeller(inferencer, 0), AnswerOrder(1)
    if prompt:
        teller.take_prompt(prompt)
    inferencer.thought_marks = marks
    messages: list[protocol.Token | protocol.Answered] = [
        teller.token(text, float(number)) for number, text in enumerate(tokens)
    ]
    messages.append(teller.answered("stop", rest, 99.0, None, None))
    for message in messages:
        order.check(message)
    return messages


def parts(messages: list[protocol.Token | protocol.Answered]) -> list[tuple[str, str, int]]:
    return [(each.thought, each.text, each.thought_tokens) for each in messages]


def test_marks_count_as_tokens_of_the_thought() -> None:
    assert parts(told("<think>", "\n", "x", "\n", "</think>", "\n\n", "y", " z")) == [
        *[("", "", 1)] * 2,
        ("x", "", 1),
        *[("", "", 1)] * 2,
        ("", "", 0),
        ("", "y", 0),
        ("", " z", 0),
        ("", "", 0),
    ]


def test_tokens_that_might_have_been_the_answers_are_counted_when_it_is_known() -> None:
    assert parts(told("\n", "<th", "ink>", "x")) == [
        *[("", "", 0)] * 2,
        ("", "", 3),
        ("x", "", 1),
        ("", "", 0),
    ]
    assert parts(told("\n", "<th", "e>"))[-2:] == [("", "\n<the>", 0), ("", "", 0)]


def test_channels_count_as_they_turn_out() -> None:
    thought = ("<|channel|>", "analysis", "<|message|>", "x", "<|end|>")
    answer = ("<|start|>", "assistant", "<|channel|>", "final", "<|message|>", "y")
    messages = told(*thought, *answer)
    assert [each.thought_tokens for each in messages] == [0, 0, 3, 1, 1, *[0] * 7]
    assert "".join(each.text for each in messages) == "y"


def test_a_thought_that_the_prompt_opened_begins_with_the_first_token() -> None:
    assert parts(told("x", "</think>", "y", prompt=R1)) == [
        ("x", "", 1),
        ("", "", 1),
        ("", "y", 0),
        ("", "", 0),
    ]


def test_a_question_that_ends_in_a_mark_opens_no_thought() -> None:
    prompt = PromptTokens(3, "Explain:\n<think>", "gguf", after_messages="")
    assert parts(told("x", prompt=prompt)) == [("", "x", 0), ("", "", 0)]


def test_all_that_came_before_a_lone_end_is_called_a_thought() -> None:
    messages = told("x", " is", "</think>", "y", marks=TOLD)
    assert parts(messages) == [("", "x", 0), ("", " is", 0), ("", "", 3), ("", "y", 0), ("", "", 0)]
    assert [each.was_thought for each in messages] == [False, False, True, False, False]


def test_what_was_held_back_comes_with_the_end() -> None:
    assert parts(told("<think>x", " ", prompt=None, rest="y"))[-1] == (" y", "", 0)
    (_, end) = told("x", rest="</think>", marks=TOLD)
    assert (end.was_thought, end.thought_tokens) == (True, 1)
    assert parts(told("a </thi"))[-1] == ("", "</thi", 0)


def test_marks_of_the_engines_own_are_known_at_the_first_token() -> None:
    marks = ThoughtMarks((*KNOWN, Pair("((", "))")))
    assert parts(told("((", "x", "))", "y", marks=marks))[1] == ("x", "", 1)


def test_an_ordinary_answer_is_told_as_before() -> None:
    messages = told("Hello ", "world")
    assert parts(messages) == [("", "Hello ", 0), ("", "world", 0), ("", "", 0)]
    assert (
        protocol.encode(messages[0])
        == b'{"type":"Token","text":"Hello ","index":1,"seconds":0.0}\n'
    )


@pytest.mark.parametrize(
    "messages",
    [
        [protocol.Token("", 1, 1.0, thought_tokens=2)],
        [
            protocol.Token("a", 1, 1.0, was_thought=True),
            protocol.Token("b", 2, 1.0, was_thought=True),
        ],
        [
            protocol.Token("", 1, 1.0, thought_tokens=1),
            protocol.Answered("stop", 1, 1.0, thought_tokens=1),
        ],
    ],
)
def test_a_child_cannot_tell_of_thoughts_without_end(
    messages: list[protocol.Token | protocol.Answered],
) -> None:
    order = AnswerOrder(1)
    *before, last = messages
    for message in before:
        order.check(message)
    with pytest.raises(protocol.ProtocolError):
        order.check(last)
