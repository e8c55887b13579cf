"""The fold keeps a thought apart from its answer, with its tokens and its seconds."""

from __future__ import annotations

import pytest

from comparator.comparison.results import ResultBuilder
from comparator.comparison.written import ReadingPlace, Written
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import InferenceResult, ModelInfo, ModelType, Thinking
from runners import protocol

MODEL = ModelInfo("abc", "name", "/p", ModelType.ECHO, 1)
SPENT = "tokens were spent on thinking"


def token(number: int, text: str = "", thought: str = "", **more: int | bool) -> protocol.Token:
    """Return a token that came a second after the one before it."""
    return protocol.Token(text, number, float(number), 0, thought, **more)


THOUGHT = (
    token(1),
    token(2, thought_tokens=2),
    token(3, thought="so ", thought_tokens=1),
    token(4, thought="so", thought_tokens=1),
    token(5, thought_tokens=1),
)
ANSWER = (token(6), token(7, "Yes"), token(8, "!"))


def played(*messages: protocol.Message, **settings: object) -> InferenceResult:
    made = ResultBuilder(MODEL, ModelConfig(seed=1, **settings))  # type: ignore[arg-type]
    made.begin(100.0)
    for message in messages:
        made.take(message, 110.0)
    return made.snapshot()


def answered(reason: str, tokens: int, **more: object) -> tuple[protocol.Message, ...]:
    return (protocol.Answered(reason, tokens, 9.0, **more), protocol.Finished(9.5))  # type: ignore[arg-type]


def test_thought_and_answer_are_apart_with_their_figures() -> None:
    result = played(*THOUGHT, *ANSWER, *answered("stop", 8, text="?"))
    assert (result.content, result.thinking) == ("Yes!?", Thinking("so so", 5, 4.0))
    stats = result.stats
    assert (stats.time_to_first_token, stats.time_to_first_answer_token) == (1.0, 7.0)
    assert stats.token_count == 8
    assert stats.tokens_per_second == pytest.approx(7 / 7)
    assert stats.characters_per_second == pytest.approx(10 / 7)
    assert result.notice is None


def test_a_record_tells_a_thought_or_null() -> None:
    record = played(*THOUGHT, *ANSWER, *answered("stop", 8)).to_record()
    assert record["thinking"] == {"text": "so so", "tokens": 5, "seconds": 4.0}
    assert record["stats"]["time_to_first_answer_token"] == 7.0
    plain = played(token(1, "Yes"), *answered("stop", 1)).to_record()
    assert plain["thinking"] is None
    assert plain["stats"]["time_to_first_answer_token"] == 1.0
    assert plain["stats"]["characters_per_second"] == 0.0


def test_the_answer_begins_with_the_first_token_where_nothing_was_thought() -> None:
    result = played(token(1), token(2, "Yes"), *answered("stop", 2))
    assert result.stats.time_to_first_answer_token == 1.0


def test_an_answer_that_came_with_the_end_began_with_the_last_token() -> None:
    result = played(*THOUGHT, token(6), *answered("stop", 6, text="Y"))
    assert (result.content, result.stats.time_to_first_answer_token) == ("Y", 6.0)


def test_an_empty_thought_is_none() -> None:
    result = played(token(1, thought_tokens=1), token(2, thought_tokens=1), token(3, "Yes"))
    assert (result.thinking, result.content) == (None, "Yes")
    assert result.stats.time_to_first_answer_token == 3.0


def test_what_was_told_as_the_answer_becomes_the_thought() -> None:
    made = ResultBuilder(MODEL, ModelConfig(seed=1))
    made.begin(100.0)
    for message in (token(1, "\nLet "), token(2, "me."), token(3, "\n")):
        made.take(message, 101.0)
    before = made.snapshot()
    made.take(token(4, "Yes", thought="See.", thought_tokens=4, was_thought=True), 102.0)
    after = made.snapshot()
    assert (before.content, before.thinking) == ("\nLet me.\n", None)
    assert (after.content, after.thinking) == ("Yes", Thinking("Let me.\nSee.", 4, 3.0))
    assert (before.stats.time_to_first_answer_token, 4.0) == (1.0, 4.0)
    assert after.stats.time_to_first_answer_token == 4.0


@pytest.mark.parametrize(
    ("reason", "settings", "words"),
    [
        ("length", {}, f"All 5 {SPENT}, so there is no answer. Raise max_tokens"),
        ("stop", {}, "The model ended within its thoughts, so there is no answer."),
        ("stop", {"stop": ["x"]}, "no answer. Its stop texts end thoughts as well as answers."),
    ],
)
def test_it_is_said_that_all_tokens_were_spent_on_thinking(
    reason: str, settings: dict[str, object], words: str
) -> None:
    assert words in (played(*THOUGHT, *answered(reason, 5), **settings).notice or "")


@pytest.mark.parametrize(
    "messages",
    [
        (*THOUGHT, *ANSWER, *answered("length", 8)),
        (token(1, " "), *answered("length", 1)),
        (*THOUGHT, *answered("cancelled", 5)),
        (*THOUGHT, protocol.Cancelled("generate")),
    ],
)
def test_it_is_said_of_no_other_run(messages: tuple[protocol.Message, ...]) -> None:
    assert played(*messages).notice is None


def test_a_reader_gets_what_is_new_and_all_anew_after_a_change_of_mind() -> None:
    written = Written()
    written.take(token(1, "Let "))
    first = written.since(ReadingPlace())
    assert (first.answer, first.thought, first.is_anew) == ("Let ", "", False)
    written.take(token(2, "me"))
    second = written.since(first.place)
    assert (second.answer, second.is_anew) == ("me", False)
    written.take(token(3, "Yes", thought_tokens=3, was_thought=True))
    third = written.since(second.place)
    assert (third.answer, third.thought, third.is_anew) == ("Yes", "Let me", True)
    assert written.since(third.place).answer == ""


def test_a_thought_of_many_late_tokens_begins_with_the_first_of_them() -> None:
    written = Written()
    for number in range(1, 101):
        written.take(token(number))
    written.take(token(101, thought="x", thought_tokens=101))
    assert written.thinking() == Thinking("x", 101, 100.0)


def test_a_child_whose_clock_goes_back_thinks_for_no_time() -> None:
    written = Written()
    written.take(protocol.Token("", 1, 9.0, 0, "a", 1))
    written.take(protocol.Token("", 2, 1.0, 0, "b", 1))
    assert written.thinking() == Thinking("ab", 2, 0.0)


class TestAnAnswerGoneOnWith:
    ASKED = Conversation.of("Why?").continuing("Because")

    def builder(self) -> ResultBuilder:
        made = ResultBuilder(MODEL, ModelConfig(seed=1), conversation=self.ASKED)
        made.begin(100.0)
        return made

    def test_its_content_is_whole_and_its_figures_are_of_the_new_tokens(self) -> None:
        made = self.builder()
        before = made.snapshot()
        assert (before.content, before.prompt.continued) == ("Because", 7)
        for message in (token(1, " of"), token(2, " it"), *answered("length", 2, text="s")):
            made.take(message, 110.0)
        record = made.snapshot().to_record()
        assert record["content"] == "Because of its"
        assert record["content"][: record["prompt"]["continued"]] == "Because"
        assert record["prompt"]["messages"] == [{"role": "user", "content": "Why?"}]
        assert record["stats"]["token_count"] == 2
        assert record["stats"]["characters_per_second"] == pytest.approx(4 / 1)
        assert record["stats"]["time_to_first_token"] == 1.0

    def test_the_prompt_of_the_engine_leaves_the_mark_of_it(self) -> None:
        made = self.builder()
        made.take(protocol.Prompted(1.0, 3, "Why?Because", "none"), 101.0)
        assert made.snapshot().prompt.continued == 7

    def test_a_reader_is_told_the_begin_first(self) -> None:
        written = Written("Because")
        written.take(token(1, " of"))
        assert written.since(ReadingPlace()).answer == "Because of"
        assert written.has_answer
        assert Written("").since(ReadingPlace()).answer == ""

    def test_a_thought_that_is_told_late_does_not_take_the_begin(self) -> None:
        written = Written("Because")
        written.take(token(1, " of"))
        written.take(token(2, "so", "late", was_thought=True, thought_tokens=2))
        assert written.answer == "Becauseso"
        thinking = written.thinking()
        assert thinking is not None
        assert thinking.text == "oflate"


def test_an_answer_is_told_by_its_tokens_without_those_of_the_thought() -> None:
    written = Written("So far")
    for message in (*THOUGHT, *ANSWER):
        written.take(message)
    written.take_rest(protocol.Answered("stop", 8, 9.0, "?"))
    pieces = [(piece.text, piece.tokens, piece.probability) for piece in written.pieces()]
    assert pieces == [("So far", 0, None), ("Yes", 2, None), ("!", 1, None), ("?", 0, None)]
    assert "".join(text for text, _tokens, _probability in pieces) == written.answer


def test_what_turns_out_to_be_a_thought_is_no_piece_of_the_answer() -> None:
    written = Written()
    written.take(token(1, "Let me"))
    written.take(token(2, "Yes", thought_tokens=2, was_thought=True))
    assert [(piece.text, piece.tokens) for piece in written.pieces()] == [("Yes", 1)]
