"""Which tokens may come next where an answer can only be one of a few texts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo, ModelType
from runners import protocol
from runners.engines.choices import Choices, paths_of

END = 9


def letters(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def words_with_a_space(text: str) -> list[int]:
    """A vocabulary that puts a space before the first word, unless a line's end is there."""
    return [ord(one) for one in (text if text.startswith("\n") else " " + text)]


def test_only_tokens_that_go_on_with_a_text_are_allowed():
    choices = Choices(paths_of(["yes", "no"], letters))
    assert choices.allowed() == sorted([ord("y"), ord("n")])
    choices.take(ord("n"))
    assert choices.allowed() == [ord("o")]
    assert not choices.is_whole
    choices.take(ord("o"))
    assert choices.is_whole


def test_the_likeliest_of_the_allowed_is_taken():
    choices = Choices([[5, 1], [3, 2]])
    assert choices.likeliest([0.1, 0.2]) == 5
    assert choices.likeliest([0.3, 0.2]) == 3


def test_a_text_with_which_another_begins_may_end_or_go_on():
    choices = Choices(paths_of(["no", "none"], letters), [END])
    for letter in "no":
        choices.take(ord(letter))
    assert not choices.is_whole
    assert choices.allowed() == sorted([END, ord("n")])


def test_a_word_is_a_path_with_and_without_the_space_of_its_vocabulary():
    paths = paths_of(["A"], words_with_a_space)
    assert paths == [[ord(" "), ord("A")], [ord("A")]]


@pytest.mark.parametrize("texts", [[""], ["x" * 201], ["x"] * 65])
def test_what_no_answer_can_be_is_refused(texts):
    with pytest.raises(ConfigurationError):
        paths_of(texts, letters)


def test_answers_held_to_choices_come_one_after_another():
    model = ModelInfo("", "m", "/m", ModelType.ECHO, 0)
    asked = (Conversation.asking("one"), Conversation.asking("two"))
    free = protocol.Answer(model, ModelConfig(), asked, batch=2)
    assert free.at_once == 2
    assert replace(free, choices=("A", "B")).at_once == 1
