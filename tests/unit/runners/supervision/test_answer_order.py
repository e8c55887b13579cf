"""In which order answers may be told."""

from __future__ import annotations

import pytest

from runners import protocol
from runners.supervision.answer_order import AnswerOrder


def prompted(answer: int) -> protocol.Prompted:
    return protocol.Prompted(1.0, 1, "hi", "none", answer=answer)


def token(index: int, answer: int = 0) -> protocol.Token:
    return protocol.Token("a", index, 1.0, answer)


def answered(answer: int = 0, reason: str = "stop", batch: int = 1) -> protocol.Answered:
    return protocol.Answered(reason, 1, 1.0, answer=answer, batch=batch)


FINISHED = protocol.Finished(1.0)
LOADED = protocol.Loaded(1.0, 1, "cpu")


@pytest.mark.parametrize(
    ("answers", "messages"),
    [
        (1, [LOADED, prompted(0), token(1), token(2), answered(), FINISHED]),
        (2, [prompted(0), token(1), answered(), prompted(1), token(1, 1), answered(1), FINISHED]),
        (3, [answered(0, "error"), answered(1, "cancelled"), FINISHED]),
        (0, [protocol.Loading("x", 1, 2), FINISHED]),
    ],
)
def test_the_order_of_a_run(answers: int, messages: list[protocol.ChildMessage]) -> None:
    order = AnswerOrder(answers)
    for message in messages:
        order.check(message)
    assert order.is_over
    assert order.tokens == sum(isinstance(message, protocol.Token) for message in messages)


@pytest.mark.parametrize(
    ("answers", "good", "bad", "words"),
    [
        (1, [], token(2), "not numbered in order"),
        (1, [token(1)], token(1), "not numbered in order"),
        (2, [token(1), answered()], token(2, 1), "not numbered in order"),
        (2, [], token(1, 1), "answers are not told in order"),
        (2, [], answered(1), "answers are not told in order"),
        (1, [answered()], answered(), "answers are not told in order"),
        (1, [answered()], prompted(1), "answers are not told in order"),
        (2, [answered(0, "cancelled")], prompted(1), "answers are not told in order"),
        (0, [], token(1), "answers are not told in order"),
        (1, [prompted(0)], prompted(0), "one prompt"),
        (1, [token(1)], prompted(0), "one prompt"),
        (2, [prompted(0), answered(), prompted(1)], prompted(1), "one prompt"),
        (1, [token(1)], FINISHED, "before that of its answers"),
        (2, [answered()], FINISHED, "before that of its answers"),
        (1, [token(1)], answered(batch=2), "more answers at once"),
        (1, [token(1)], answered(batch=0), "more answers at once"),
    ],
)
def test_what_is_out_of_order(
    answers: int,
    good: list[protocol.ChildMessage],
    bad: protocol.ChildMessage,
    words: str,
) -> None:
    order = AnswerOrder(answers)
    for message in good:
        order.check(message)
    with pytest.raises(protocol.ProtocolError, match=words):
        order.check(bad)


# ---- several at once ----

MIXED = [
    prompted(1),
    prompted(0),
    token(1, 1),
    token(1, 0),
    token(2, 1),
    answered(1),
    answered(3, "error"),
    prompted(2),
    token(1, 2),
    answered(0),
    answered(2),
    FINISHED,
]


def test_several_at_once_may_be_told_mixed() -> None:
    order = AnswerOrder(4, at_once=2)
    for message in MIXED:
        order.check(message)
    assert order.is_over
    assert (order.tokens, order.ended) == (4, 4)


def test_the_prompts_that_are_read_are_counted() -> None:
    order, counts = AnswerOrder(4, at_once=2), []
    for message in MIXED[:9]:
        order.check(message)
        counts.append((order.reading, order.is_between))
    assert counts == [
        (1, True),
        (2, True),
        (1, False),
        (0, False),
        (0, False),
        (0, False),
        (0, False),
        (1, False),
        (0, False),
    ]


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([prompted(0), prompted(1), prompted(2)], "not told in order"),
        ([prompted(0), answered(0), token(1, 0)], "not told in order"),
        ([prompted(4)], "not told in order"),
        ([prompted(0), prompted(1), prompted(0)], "one prompt"),
        ([token(1, 0), token(2, 1)], "not numbered in order"),
        ([prompted(0), prompted(1), answered(0, "cancelled"), prompted(2)], "not told in order"),
        ([prompted(0), prompted(1), answered(0, "cancelled"), FINISHED], "before that of its"),
        ([prompted(0), answered(0, batch=2), prompted(1), answered(1, batch=3)], "more answers"),
    ],
)
def test_what_is_out_of_order_among_several(
    messages: list[protocol.ChildMessage], said: str
) -> None:
    order = AnswerOrder(4, at_once=2)
    *before, last = messages
    for message in before:
        order.check(message)
    with pytest.raises(protocol.ProtocolError, match=said):
        order.check(last)


def test_a_stop_ends_those_under_way_and_no_other_begins() -> None:
    order = AnswerOrder(4, at_once=2)
    for message in (prompted(0), prompted(1), answered(0, "cancelled"), token(1, 1)):
        order.check(message)
    assert not order.is_over
    order.check(answered(1, "cancelled"))
    assert order.is_over
    order.check(FINISHED)
