"""The one place where a prompt is checked, and what a conversation is to those who use it."""

from __future__ import annotations

import pickle

import pytest

from comparator.core.conversation import (
    LONGEST_PROMPT_BYTES,
    MOST_MESSAGES,
    Conversation,
    Message,
)
from comparator.core.exceptions import ConfigurationError

TURNS = [
    {"role": "user", "content": "One?"},
    {"role": "assistant", "content": "One."},
    {"role": "user", "content": "Two?"},
]
SYSTEM = {"role": "system", "content": "Be brief."}


def part(content):
    """Return a message of the user's with a part of another kind beside its text."""
    return {"role": "user", "content": [{"type": "text", "text": "hi"}, content]}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


class TestWhatBecomesAConversation:
    def test_a_text_is_one_question(self):
        conversation = Conversation.of("Why?")
        assert conversation.messages == (Message("user", "Why?"),)
        assert conversation.question == "Why?"
        assert not conversation.has_several_turns

    @pytest.mark.parametrize("kind", [list, tuple])
    def test_messages_are_taken_as_they_are(self, kind):
        conversation = Conversation.of(kind([SYSTEM, *TURNS]))
        assert conversation.records() == [SYSTEM, *TURNS]
        assert conversation.question == "Two?"
        assert conversation.system == "Be brief."
        assert conversation.has_several_turns

    def test_messages_may_be_message_objects_and_a_conversation_stays_one(self):
        conversation = Conversation.of([Message("user", "Why?")])
        assert Conversation.of(conversation) == conversation == Conversation.of("Why?")

    def test_an_answer_in_between_may_be_empty(self):
        turns = [user("One?"), {"role": "assistant", "content": ""}, user("Two?")]
        assert Conversation.of(turns).records() == turns

    def test_it_crosses_a_pipe(self):
        conversation = Conversation.of([SYSTEM, *TURNS])
        assert pickle.loads(pickle.dumps(conversation)) == conversation


class TestTheSystemMessage:
    def test_a_system_prompt_goes_to_the_begin(self):
        assert Conversation.of("Why?", "Be brief.").records() == [SYSTEM, user("Why?")]

    def test_it_takes_the_place_of_the_one_there_is(self):
        conversation = Conversation.of([SYSTEM, *TURNS]).with_system("Be long.")
        assert conversation.records() == [{"role": "system", "content": "Be long."}, *TURNS]

    def test_an_empty_one_changes_nothing(self):
        conversation = Conversation.of([SYSTEM, *TURNS])
        assert conversation.with_system("") is conversation


class TestAsText:
    def test_one_question_is_its_text(self):
        assert Conversation.of("Once upon").as_text() == "Once upon"

    def test_a_system_message_goes_before_it(self):
        assert Conversation.of("Why?", "Be brief.").as_text() == "Be brief.\n\nWhy?"

    def test_several_turns_are_named_and_the_model_goes_on(self):
        assert Conversation.of([SYSTEM, *TURNS]).as_text() == (
            "Be brief.\n\nUser: One?\n\nAssistant: One.\n\nUser: Two?\n\nAssistant:"
        )


class TestParts:
    def test_parts_of_text_are_one_text(self):
        parts = [{"type": "text", "text": "One."}, {"type": "input_text", "text": "Two?"}]
        asked = Conversation.of([{"role": "user", "content": parts}])
        assert asked.records() == [user("One.\nTwo?")]

    def test_no_parts_are_no_question(self):
        with pytest.raises(ConfigurationError, match="Type a prompt first"):
            Conversation.of([{"role": "user", "content": []}])


class TestWhatIsNoText:
    def test_lone_surrogates_are_replaced_and_told(self):
        conversation = Conversation.of([user("a\ud800b"), *TURNS[1:]])
        assert conversation.messages[0].content == "a\ufffdb"
        assert conversation.has_replacements
        assert Conversation.of(conversation).has_replacements

    def test_a_good_text_has_no_replacements(self):
        assert not Conversation.of("字").has_replacements

    def test_those_of_a_system_prompt_are_replaced_as_well(self):
        assert Conversation.of("hi", "\udfff").system == "\ufffd"


class TestRefusals:
    @pytest.mark.parametrize("value", ["", "  \n\t", "\u3000", [], (), [SYSTEM], [user(" ")]])
    def test_nothing_is_asked(self, value):
        with pytest.raises(ConfigurationError, match=r"Type a prompt first; it is empty\."):
            Conversation.of(value)

    @pytest.mark.parametrize("value", [None, 7, {"role": "user"}, b"bytes", ["x"], [None], {1}])
    def test_neither_text_nor_messages(self, value):
        with pytest.raises(ConfigurationError, match="The prompt must be text or a list of mess"):
            Conversation.of(value)

    @pytest.mark.parametrize(
        ("message", "words"),
        [
            ({"role": "tool", "content": "x"}, "Message 1 has the role 'tool'; it must be system"),
            ({"role": ["user"], "content": "x"}, "Message 1 has the role"),
            ({"role": "user", "content": {}}, "content of message 1 must be text, not dict"),
            ({"role": "user", "content": ["x"]}, "content of message 1 has a part of the kind"),
            ({"role": "user"}, "Message 1 must have role and content alone"),
            ({}, "Message 1 must have role and content alone"),
            ({"role": "user", "content": "x", "name": "y"}, "alone, not 'name'"),
            ({"role": "user", "text": "x"}, "alone, not 'text'"),
        ],
    )
    def test_a_message_that_is_none(self, message, words):
        with pytest.raises(ConfigurationError, match=words):
            Conversation.of([message, user("hi")])

    @pytest.mark.parametrize(
        ("message", "words"),
        [
            ({"role": "tool", "content": "x", "tool_call_id": "1"}, "role 'tool'.*no tools are"),
            ({"role": "function", "content": "x", "name": "f"}, "role 'function'.*no tools are"),
            (
                {"role": "assistant", "content": None, "tool_calls": [{}]},
                "has tool_calls: no tools",
            ),
            (part({"type": "image_url", "image_url": {}}), "has an image as part.*in text alone"),
            (part({"type": "input_image"}), "has an image as part of its content"),
            (part({"type": "image"}), "has an image as part of its content"),
            (part({"type": "input_audio"}), "has audio as part of its content: .*in text alone"),
            (part({"type": "video_url"}), "has a video as part of its content"),
            (part({"type": "file"}), "has a file as part of its content"),
            (part({"type": "tool_use"}), "has a call of a tool as part of its content: no tools"),
            (part({"type": "text"}), 'parts must be {"type": "text", "text": …}'),
            (part({"type": "text", "text": 1}), "has a part of the kind 'text'"),
            (part({"type": ["text"], "text": "x"}), "has a part of the kind"),
            (part(None), "has a part of the kind None"),
        ],
    )
    def test_what_nobody_does_here_is_refused_by_name(self, message, words):
        with pytest.raises(ConfigurationError, match=f"[Mm]essage 1 .*{words}"):
            Conversation.of([message, user("hi")])

    def test_a_system_message_later_on(self):
        with pytest.raises(ConfigurationError, match="Message 2 is a system message; only the fi"):
            Conversation.of([user("hi"), SYSTEM, user("hi")])

    def test_an_answer_at_the_end(self):
        with pytest.raises(ConfigurationError, match="The last message must be the user's"):
            Conversation.of(TURNS[:2])

    @pytest.mark.parametrize(
        "value",
        [
            "x" * (LONGEST_PROMPT_BYTES + 1),
            "字" * (LONGEST_PROMPT_BYTES // 2),
            [user("x" * LONGEST_PROMPT_BYTES), *TURNS[1:]],
        ],
    )
    def test_too_long_by_bytes_of_all_messages(self, value):
        with pytest.raises(ConfigurationError, match=f"the limit is {LONGEST_PROMPT_BYTES}"):
            Conversation.of(value)

    def test_the_longest_is_taken(self):
        assert Conversation.of("x" * LONGEST_PROMPT_BYTES).question

    def test_too_many_messages(self):
        with pytest.raises(ConfigurationError, match=f"up to {MOST_MESSAGES} messages"):
            Conversation.of([user("x")] * (MOST_MESSAGES + 1))


class TestGoingOn:
    ONE = Conversation.of("One?", "Be brief.")

    def test_a_further_question_stands_behind_its_answer(self):
        further = self.ONE.and_then("One.", "Two?")
        assert further.records() == [SYSTEM, *TURNS]
        assert further == Conversation.of([SYSTEM, *TURNS])

    def test_a_further_question_is_checked_like_the_first(self):
        with pytest.raises(ConfigurationError, match="Type a prompt first"):
            self.ONE.and_then("One.", " \n")
        with pytest.raises(ConfigurationError, match=f"the limit is {LONGEST_PROMPT_BYTES}"):
            self.ONE.and_then("x" * LONGEST_PROMPT_BYTES, "Two?")

    def test_what_is_no_text_is_replaced_in_answer_and_question(self):
        further = self.ONE.and_then("\ud800", "Two?")
        assert further.messages[-2].content == "\ufffd"
        assert further.has_replacements
        assert Conversation.of("\ud800").and_then("a", "b").has_replacements

    def test_a_begun_answer_is_no_message_and_stays_with_it(self):
        begun = self.ONE.continuing("On")
        assert begun.begun == "On"
        assert begun.records() == self.ONE.records()
        assert begun != self.ONE == begun.without_answer()
        assert begun.with_system("Be long.").begun == "On"
        assert Conversation.of(begun, "Be long.").begun == "On"
        assert pickle.loads(pickle.dumps(begun)) == begun

    def test_a_begun_answer_is_followed_by_a_question_as_any_other(self):
        assert self.ONE.continuing("On").and_then("One.", "Two?").records() == [SYSTEM, *TURNS]

    @pytest.mark.parametrize("answer", ["", " \n\t"])
    def test_there_is_nothing_to_go_on_with_in_an_empty_answer(self, answer):
        with pytest.raises(ConfigurationError, match="no answer to go on with"):
            self.ONE.continuing(answer)

    def test_a_begun_answer_counts_for_the_length(self):
        with pytest.raises(ConfigurationError, match=f"the limit is {LONGEST_PROMPT_BYTES}"):
            self.ONE.continuing("x" * LONGEST_PROMPT_BYTES)

    def test_what_is_no_text_is_replaced_in_a_begun_answer(self):
        begun = self.ONE.continuing("a\ud800")
        assert (begun.begun, begun.has_replacements) == ("a\ufffd", True)

    @pytest.mark.parametrize(
        ("asked", "begun", "text"),
        [
            ("Once", " upon", "Once upon"),
            (TURNS, " Two.", "\n\nAssistant: Two."),
            (TURNS, "Two.", "\n\nAssistant: Two."),
        ],
    )
    def test_as_text_it_ends_the_text(self, asked, begun, text):
        assert Conversation.of(asked).continuing(begun).as_text().endswith(text)
